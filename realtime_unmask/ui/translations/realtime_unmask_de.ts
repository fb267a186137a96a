<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
  <context>
    <name>Actions</name>
    <message>
      <source>Camera</source>
      <translation>Kamera</translation>
    </message>
    <message>
      <source>View</source>
      <translation>Ansicht</translation>
    </message>
    <message>
      <source>Painting</source>
      <translation>Malen</translation>
    </message>
    <message>
      <source>Out of the window</source>
      <translation>Aus dem Fenster hinaus</translation>
    </message>
    <message>
      <source>Program</source>
      <translation>Programm</translation>
    </message>
    <message>
      <source>Start or stop the camera</source>
      <translation>Kamera starten oder anhalten</translation>
    </message>
    <message>
      <source>Next camera</source>
      <translation>Nächste Kamera</translation>
    </message>
    <message>
      <source>Next resolution</source>
      <translation>Nächste Auflösung</translation>
    </message>
    <message>
      <source>Mirror</source>
      <translation>Spiegeln</translation>
    </message>
    <message>
      <source>Turn by a quarter</source>
      <translation>Um ein Viertel drehen</translation>
    </message>
    <message>
      <source>Unmask a photo or a video…</source>
      <translation>Masken in Foto oder Video entfernen …</translation>
    </message>
    <message>
      <source>Result</source>
      <translation>Ergebnis</translation>
    </message>
    <message>
      <source>Before | after</source>
      <translation>Vorher | nachher</translation>
    </message>
    <message>
      <source>What is painted</source>
      <translation>Was gemalt wird</translation>
    </message>
    <message>
      <source>Side by side</source>
      <translation>Nebeneinander</translation>
    </message>
    <message>
      <source>Closer</source>
      <translation>Näher</translation>
    </message>
    <message>
      <source>Farther</source>
      <translation>Weiter weg</translation>
    </message>
    <message>
      <source>Whole picture</source>
      <translation>Ganzes Bild</translation>
    </message>
    <message>
      <source>Full screen</source>
      <translation>Vollbild</translation>
    </message>
    <message>
      <source>Which faces: next choice</source>
      <translation>Welche Gesichter: nächste Wahl</translation>
    </message>
    <message>
      <source>When a face is lost: next choice</source>
      <translation>Gesicht verloren: nächste Wahl</translation>
    </message>
    <message>
      <source>Stronger paint</source>
      <translation>Deckender malen</translation>
    </message>
    <message>
      <source>Weaker paint</source>
      <translation>Durchsichtiger malen</translation>
    </message>
    <message>
      <source>Softer edge</source>
      <translation>Weicherer Rand</translation>
    </message>
    <message>
      <source>Harder edge</source>
      <translation>Härterer Rand</translation>
    </message>
    <message>
      <source>Match colours</source>
      <translation>Farben angleichen</translation>
    </message>
    <message>
      <source>Next backend</source>
      <translation>Nächstes Backend</translation>
    </message>
    <message>
      <source>Take a picture</source>
      <translation>Bild aufnehmen</translation>
    </message>
    <message>
      <source>Record</source>
      <translation>Aufnehmen</translation>
    </message>
    <message>
      <source>Record sound</source>
      <translation>Ton aufnehmen</translation>
    </message>
    <message>
      <source>Virtual camera</source>
      <translation>Virtuelle Kamera</translation>
    </message>
    <message>
      <source>Web page on this computer</source>
      <translation>Webseite auf diesem Rechner</translation>
    </message>
    <message>
      <source>“AI-reconstructed” badge</source>
      <translation>Hinweis „AI-reconstructed“</translation>
    </message>
    <message>
      <source>Settings</source>
      <translation>Einstellungen</translation>
    </message>
    <message>
      <source>Details</source>
      <translation>Einzelheiten</translation>
    </message>
    <message>
      <source>Keys</source>
      <translation>Tasten</translation>
    </message>
    <message>
      <source>Quit</source>
      <translation>Beenden</translation>
    </message>
    <message>
      <source>Remember my bare face, as the camera shows it</source>
      <translation>Mein Gesicht ohne Maske merken, wie die Kamera es zeigt</translation>
    </message>
    <message>
      <source>Remember my bare face from a photo…</source>
      <translation>Mein Gesicht ohne Maske aus einem Foto merken…</translation>
    </message>
    <message>
      <source>Forget my face</source>
      <translation>Mein Gesicht vergessen</translation>
    </message>
  </context>
  <context>
    <name>BadgeDialog</name>
    <message>
      <source>Take the badge away?</source>
      <translation>Den Hinweis entfernen?</translation>
    </message>
    <message>
      <source>&lt;p&gt;The lower half of the face that others see is made up by a program. It looks real, and it is not the person: mouth, chin, beard and expression are guesses.&lt;/p&gt;&lt;p&gt;The badge “AI-reconstructed” tells this to those who cannot know it otherwise: the people in a call, and whoever sees a recording later. Without it they may take the face for a real one, or for somebody else’s. In many places such pictures have to be marked by law.&lt;/p&gt;&lt;p&gt;Without the badge, tell them yourself. The metadata of recordings and pictures say it in any case.&lt;/p&gt;</source>
      <translation>&lt;p&gt;Die untere Hälfte des Gesichts, das andere sehen, hat ein Programm erfunden. Sie sieht echt aus und ist doch nicht die Person: Mund, Kinn, Bart und Ausdruck sind geraten.&lt;/p&gt;&lt;p&gt;Der Hinweis „AI-reconstructed“ sagt das denen, die es sonst nicht wissen können: den Menschen im Gespräch und allen, die später eine Aufnahme sehen. Ohne ihn halten sie das Gesicht vielleicht für ein echtes oder für das eines anderen. Vielerorts müssen solche Bilder nach dem Gesetz gekennzeichnet sein.&lt;/p&gt;&lt;p&gt;Sagen Sie es ohne den Hinweis selbst. In den Metadaten von Aufnahmen und Bildern steht es in jedem Fall.&lt;/p&gt;</translation>
    </message>
    <message>
      <source>I have read this, and will tell people myself.</source>
      <translation>Ich habe das gelesen und sage es den anderen selbst.</translation>
    </message>
    <message>
      <source>Keep the badge</source>
      <translation>Hinweis behalten</translation>
    </message>
    <message>
      <source>Take it away</source>
      <translation>Entfernen</translation>
    </message>
  </context>
  <context>
    <name>Bar</name>
    <message>
      <source>Stop</source>
      <translation>Anhalten</translation>
    </message>
    <message>
      <source>Start</source>
      <translation>Starten</translation>
    </message>
    <message>
      <source>Record</source>
      <translation>Aufnehmen</translation>
    </message>
    <message>
      <source>Result</source>
      <translation>Ergebnis</translation>
    </message>
    <message>
      <source>Compare</source>
      <translation>Vergleich</translation>
    </message>
    <message>
      <source>Painted</source>
      <translation>Gemaltes</translation>
    </message>
    <message>
      <source>Side by side</source>
      <translation>Nebeneinander</translation>
    </message>
    <message>
      <source>Picture</source>
      <translation>Bild</translation>
    </message>
    <message>
      <source>Virtual camera</source>
      <translation>Virtuelle Kamera</translation>
    </message>
    <message>
      <source>Full screen</source>
      <translation>Vollbild</translation>
    </message>
    <message>
      <source>Settings</source>
      <translation>Einstellungen</translation>
    </message>
    <message>
      <source>Keys</source>
      <translation>Tasten</translation>
    </message>
    <message>
      <source>Camera</source>
      <translation>Kamera</translation>
    </message>
  </context>
  <context>
    <name>Controller</name>
    <message>
      <source>{name} (not connected)</source>
      <translation>{name} (nicht angeschlossen)</translation>
    </message>
    <message>
      <source>Demo clip</source>
      <translation>Beispielfilm</translation>
    </message>
    <message>
      <source>You have no home folder here: nothing is remembered for next time.</source>
      <translation>Sie haben hier keinen Heimatordner: Für das nächste Mal wird nichts gemerkt.</translation>
    </message>
  </context>
  <context>
    <name>FileCard</name>
    <message>
      <source>Cancel</source>
      <translation>Abbrechen</translation>
    </message>
    <message>
      <source>Open</source>
      <translation>Öffnen</translation>
    </message>
    <message>
      <source>Open folder</source>
      <translation>Ordner öffnen</translation>
    </message>
    <message>
      <source>Close</source>
      <translation>Schließen</translation>
    </message>
    <message>
      <source>Progress of the file</source>
      <translation>Fortschritt der Datei</translation>
    </message>
    <message>
      <source>frames so far: {count}</source>
      <translation>Bilder bisher: {count}</translation>
    </message>
    <message>
      <source>Unmasking {name}{which}…</source>
      <translation>{name}{which}: Masken werden entfernt …</translation>
    </message>
    <message>
      <source>Cancelled. Nothing of the unfinished file remains.</source>
      <translation>Abgebrochen. Von der unfertigen Datei bleibt nichts zurück.</translation>
    </message>
    <message>
      <source>{count} files done</source>
      <translation>{count} Dateien fertig</translation>
    </message>
    <message>
      <source>Unmasked</source>
      <translation>Maske entfernt</translation>
    </message>
    <message>
      <source>Unmasked in {painted} of {frames} frames</source>
      <translation>Maske in {painted} von {frames} Bildern entfernt</translation>
    </message>
    <message>
      <source>No mask was found, so nothing was painted</source>
      <translation>Keine Maske gefunden, also nichts gemalt</translation>
    </message>
    <message>
      <source>No face was found, so nothing was painted</source>
      <translation>Kein Gesicht gefunden, also nichts gemalt</translation>
    </message>
    <message>
      <source>and {count} more that failed</source>
      <translation>und {count} weitere, die nicht gelangen</translation>
    </message>
  </context>
  <context>
    <name>HotkeySheet</name>
    <message>
      <source>Keys</source>
      <translation>Tasten</translation>
    </message>
    <message>
      <source>In the picture: wheel = closer or farther, drag = move, ← → = move the line between before and after. Esc leaves the full screen.</source>
      <translation>Im Bild: Rad = näher oder weiter weg, ziehen = verschieben, ← → = Linie zwischen vorher und nachher bewegen. Esc beendet das Vollbild.</translation>
    </message>
    <message>
      <source> or </source>
      <translation> oder </translation>
    </message>
  </context>
  <context>
    <name>NoticeBar</name>
    <message>
      <source>Copy</source>
      <translation>Kopieren</translation>
    </message>
    <message>
      <source>Commands for a terminal</source>
      <translation>Befehle für ein Terminal</translation>
    </message>
    <message>
      <source>Close this notice</source>
      <translation>Diese Meldung schließen</translation>
    </message>
    <message>
      <source>Problem</source>
      <translation>Problem</translation>
    </message>
    <message>
      <source>Notice</source>
      <translation>Meldung</translation>
    </message>
  </context>
  <context>
    <name>OwnFace</name>
    <message>
      <source>Start the camera first.</source>
      <translation>Starten Sie zuerst die Kamera.</translation>
    </message>
    <message>
      <source>Looking at your face…</source>
      <translation>Ihr Gesicht wird angesehen…</translation>
    </message>
    <message>
      <source>From now on the paint follows your face. It is kept on this computer.</source>
      <translation>Ab jetzt richtet sich das Gemalte nach Ihrem Gesicht. Es bleibt auf diesem Rechner.</translation>
    </message>
    <message>
      <source>The paint follows your face until the window is closed.</source>
      <translation>Das Gemalte richtet sich nach Ihrem Gesicht, bis das Fenster geschlossen wird.</translation>
    </message>
    <message>
      <source>The picture of it is blurred, and so the paint will be soft: take a sharper one if you can.</source>
      <translation>Das Bild davon ist unscharf, und so wird auch das Gemalte weich: Nehmen Sie ein schärferes, wenn Sie können.</translation>
    </message>
  </context>
  <context>
    <name>Panel</name>
    <message>
      <source>Automatic</source>
      <translation>Automatisch</translation>
    </message>
    <message>
      <source>The system's choice</source>
      <translation>Wie im System gewählt</translation>
    </message>
    <message>
      <source>The first free one</source>
      <translation>Die erste freie</translation>
    </message>
    <message>
      <source>Camera</source>
      <translation>Kamera</translation>
    </message>
    <message>
      <source>Faces</source>
      <translation>Gesichter</translation>
    </message>
    <message>
      <source>Painting</source>
      <translation>Malen</translation>
    </message>
    <message>
      <source>Out of the window</source>
      <translation>Aus dem Fenster hinaus</translation>
    </message>
    <message>
      <source>Program</source>
      <translation>Programm</translation>
    </message>
    <message>
      <source>Resolution</source>
      <translation>Auflösung</translation>
    </message>
    <message>
      <source>Turn</source>
      <translation>Drehung</translation>
    </message>
    <message>
      <source>Which faces</source>
      <translation>Welche Gesichter</translation>
    </message>
    <message>
      <source>When a face is lost, show</source>
      <translation>Ist ein Gesicht verloren, zeigen</translation>
    </message>
    <message>
      <source>Strength</source>
      <translation>Deckkraft</translation>
    </message>
    <message>
      <source>Softness of the edge</source>
      <translation>Weichheit des Randes</translation>
    </message>
    <message>
      <source>Microphone</source>
      <translation>Mikrofon</translation>
    </message>
    <message>
      <source>Sound later by</source>
      <translation>Ton später um</translation>
    </message>
    <message>
      <source>Virtual camera</source>
      <translation>Virtuelle Kamera</translation>
    </message>
    <message>
      <source>The networks run on</source>
      <translation>Die Netze rechnen mit</translation>
    </message>
    <message>
      <source>Language</source>
      <translation>Sprache</translation>
    </message>
    <message>
      <source>Mirror</source>
      <translation>Spiegeln</translation>
    </message>
    <message>
      <source>Match colours</source>
      <translation>Farben angleichen</translation>
    </message>
    <message>
      <source>Record sound</source>
      <translation>Ton aufnehmen</translation>
    </message>
    <message>
      <source>Web page on this computer</source>
      <translation>Webseite auf diesem Rechner</translation>
    </message>
    <message>
      <source>Copy</source>
      <translation>Kopieren</translation>
    </message>
    <message>
      <source>Address of the web page</source>
      <translation>Adresse der Webseite</translation>
    </message>
    <message>
      <source>“AI-reconstructed” badge</source>
      <translation>Hinweis „AI-reconstructed“</translation>
    </message>
    <message>
      <source>In recordings, pictures and the virtual camera.</source>
      <translation>In Aufnahmen, Bildern und der virtuellen Kamera.</translation>
    </message>
    <message>
      <source>Folder for recordings…</source>
      <translation>Ordner für Aufnahmen …</translation>
    </message>
    <message>
      <source>All</source>
      <translation>Alle</translation>
    </message>
    <message>
      <source>The largest</source>
      <translation>Das größte</translation>
    </message>
    <message>
      <source>The one I click</source>
      <translation>Das angeklickte</translation>
    </message>
    <message>
      <source>The masked picture</source>
      <translation>Das maskierte Bild</translation>
    </message>
    <message>
      <source>The last result</source>
      <translation>Das letzte Ergebnis</translation>
    </message>
    <message>
      <source>The face blurred</source>
      <translation>Das Gesicht unscharf</translation>
    </message>
    <message>
      <source>The system's</source>
      <translation>Wie im System</translation>
    </message>
    <message>
      <source>The paint follows your face. It is kept on this computer.</source>
      <translation>Das Gemalte richtet sich nach Ihrem Gesicht. Es bleibt auf diesem Rechner.</translation>
    </message>
    <message>
      <source>Not known yet: mouth and chin are made up. Take your mask off once.</source>
      <translation>Noch nicht bekannt: Mund und Kinn sind erfunden. Nehmen Sie die Maske einmal ab.</translation>
    </message>
    <message>
      <source>Your bare face</source>
      <translation>Ihr Gesicht ohne Maske</translation>
    </message>
    <message>
      <source>From the camera</source>
      <translation>Von der Kamera</translation>
    </message>
    <message>
      <source>From a photo…</source>
      <translation>Aus einem Foto…</translation>
    </message>
    <message>
      <source>Forget it</source>
      <translation>Vergessen</translation>
    </message>
  </context>
  <context>
    <name>StartPage</name>
    <message>
      <source>Start the camera</source>
      <translation>Kamera starten</translation>
    </message>
    <message>
      <source>Show the demo clip</source>
      <translation>Beispielfilm zeigen</translation>
    </message>
    <message>
      <source>Open a photo or a video…</source>
      <translation>Foto oder Video öffnen …</translation>
    </message>
    <message>
      <source>Or drop a photo or a video here to unmask it.</source>
      <translation>Oder ein Foto oder Video hierher ziehen, um die Maske zu entfernen.</translation>
    </message>
    <message>
      <source>Looking for cameras…</source>
      <translation>Kameras werden gesucht …</translation>
    </message>
    <message>
      <source>Starting…</source>
      <translation>Startet …</translation>
    </message>
    <message>
      <source>Stopping…</source>
      <translation>Hält an …</translation>
    </message>
    <message>
      <source>See yourself without the mask</source>
      <translation>Sehen Sie sich ohne die Maske</translation>
    </message>
    <message>
      <source>The clip was stopped</source>
      <translation>Der Film wurde angehalten</translation>
    </message>
    <message>
      <source>Play it again, or choose a camera below.</source>
      <translation>Spielen Sie ihn noch einmal ab, oder wählen Sie unten eine Kamera.</translation>
    </message>
    <message>
      <source>Play again</source>
      <translation>Noch einmal abspielen</translation>
    </message>
    <message>
      <source>Sit before the camera with a face mask on, and press Start.</source>
      <translation>Setzen Sie sich mit einer Maske vor die Kamera und drücken Sie auf Starten.</translation>
    </message>
    <message>
      <source>No camera was found</source>
      <translation>Keine Kamera gefunden</translation>
    </message>
    <message>
      <source>Connect one: it is noticed within seconds. Or look at the demo clip, or open a photo or a video.</source>
      <translation>Schließen Sie eine an: Sie wird in wenigen Sekunden bemerkt. Oder sehen Sie den Beispielfilm an oder öffnen Sie ein Foto oder Video.</translation>
    </message>
    <message>
      <source>There is no picture</source>
      <translation>Es gibt kein Bild</translation>
    </message>
    <message>
      <source>The line above says why. It is tried again and again by itself.</source>
      <translation>Die Zeile oben sagt, warum. Es wird von selbst immer wieder versucht.</translation>
    </message>
    <message>
      <source>The line above says why, and what can be done.</source>
      <translation>Die Zeile oben sagt, warum, und was hilft.</translation>
    </message>
    <message>
      <source>Look again</source>
      <translation>Noch einmal suchen</translation>
    </message>
    <message>
      <source>Try again</source>
      <translation>Noch einmal</translation>
    </message>
  </context>
  <context>
    <name>Strip</name>
    <message>
      <source>The camera is off</source>
      <translation>Die Kamera ist aus</translation>
    </message>
    <message>
      <source>{into:.0f} → {out:.0f} frames/s</source>
      <translation>{into:.0f} → {out:.0f} Bilder/s</translation>
    </message>
    <message>
      <source>{p50:.0f} ms old (95 %: {p95:.0f})</source>
      <translation>{p50:.0f} ms alt (95 %: {p95:.0f})</translation>
    </message>
    <message>
      <source>{count} dropped</source>
      <translation>{count} ausgelassen</translation>
    </message>
    <message>
      <source>No frame was dropped.</source>
      <translation>Kein Bild wurde ausgelassen.</translation>
    </message>
    <message>
      <source>Frames a second from the camera → shown</source>
      <translation>Bilder in der Sekunde von der Kamera → gezeigt</translation>
    </message>
    <message>
      <source>Time from the camera to the screen: median (95th percentile)</source>
      <translation>Zeit von der Kamera zum Bildschirm: Median (95. Perzentil)</translation>
    </message>
    <message>
      <source>What runs the networks</source>
      <translation>Womit die Netze rechnen</translation>
    </message>
    <message>
      <source>The face under the mask is a plausible guess, not the person; not for identification.</source>
      <translation>Das Gesicht unter der Maske ist eine plausible Vermutung, nicht die Person; nicht zur Identifizierung.</translation>
    </message>
    <message>
      <source>Came faster than they could be fetched</source>
      <translation>Kamen schneller, als sie geholt werden konnten</translation>
    </message>
    <message>
      <source>A newer one came before its turn</source>
      <translation>Ein neueres kam, bevor sie an der Reihe waren</translation>
    </message>
    <message>
      <source>Done after the picture had gone on</source>
      <translation>Fertig, als das Bild schon weiter war</translation>
    </message>
    <message>
      <source>On their way when all was stopped</source>
      <translation>Unterwegs, als alles angehalten wurde</translation>
    </message>
  </context>
  <context>
    <name>Switchboard</name>
    <message>
      <source>The recording is complete: {path}</source>
      <translation>Die Aufnahme ist fertig: {path}</translation>
    </message>
    <message>
      <source>Open folder</source>
      <translation>Ordner öffnen</translation>
    </message>
    <message>
      <source>Saved: {path}</source>
      <translation>Gespeichert: {path}</translation>
    </message>
    <message>
      <source>In the call, choose the camera “{name}”.</source>
      <translation>Wählen Sie im Gespräch die Kamera „{name}“.</translation>
    </message>
    <message>
      <source>Programs on this computer can read the picture from {address}</source>
      <translation>Programme auf diesem Rechner können das Bild lesen unter {address}</translation>
    </message>
    <message>
      <source>Start the camera first.</source>
      <translation>Starten Sie zuerst die Kamera.</translation>
    </message>
  </context>
  <context>
    <name>Viewport</name>
    <message>
      <source>Picture</source>
      <translation>Bild</translation>
    </message>
    <message>
      <source>Arrow keys left and right move the line between before and after.</source>
      <translation>Die Pfeiltasten links und rechts bewegen die Linie zwischen vorher und nachher.</translation>
    </message>
    <message>
      <source>The camera's picture with the mask painted over.</source>
      <translation>Das Bild der Kamera, die Maske übermalt.</translation>
    </message>
    <message>
      <source>Before</source>
      <translation>Vorher</translation>
    </message>
    <message>
      <source>After</source>
      <translation>Nachher</translation>
    </message>
  </context>
  <context>
    <name>Waterfall</name>
    <message>
      <source>capture</source>
      <translation>aufnehmen</translation>
    </message>
    <message>
      <source>waiting</source>
      <translation>warten</translation>
    </message>
    <message>
      <source>find faces</source>
      <translation>Gesichter finden</translation>
    </message>
    <message>
      <source>align</source>
      <translation>ausrichten</translation>
    </message>
    <message>
      <source>find masks</source>
      <translation>Masken finden</translation>
    </message>
    <message>
      <source>paint</source>
      <translation>malen</translation>
    </message>
    <message>
      <source>match colours</source>
      <translation>Farben angleichen</translation>
    </message>
    <message>
      <source>blend</source>
      <translation>einblenden</translation>
    </message>
    <message>
      <source>show</source>
      <translation>zeigen</translation>
    </message>
    <message>
      <source>No frames yet.</source>
      <translation>Noch keine Bilder.</translation>
    </message>
    <message>
      <source>together</source>
      <translation>zusammen</translation>
    </message>
  </context>
  <context>
    <name>Window</name>
    <message>
      <source>Time of each stage</source>
      <translation>Zeit jeder Stufe</translation>
    </message>
    <message>
      <source>Unmask photos or videos</source>
      <translation>Masken in Fotos oder Videos entfernen</translation>
    </message>
    <message>
      <source>Folder for pictures and recordings</source>
      <translation>Ordner für Bilder und Aufnahmen</translation>
    </message>
    <message>
      <source>A photo of your bare face, from the front</source>
      <translation>Ein Foto Ihres Gesichts ohne Maske, von vorn</translation>
    </message>
  </context>
  <context>
    <name>problems</name>
    <message>
      <source>On Linux the kernel module v4l2loopback makes virtual cameras. Run this in a terminal, then switch the virtual camera on again:</source>
      <translation>Unter Linux macht das Kernelmodul v4l2loopback virtuelle Kameras. Führen Sie dies in einem Terminal aus und schalten Sie die virtuelle Kamera dann wieder ein:</translation>
    </message>
    <message>
      <source>Install OBS Studio (its virtual camera is used), start that camera once in OBS and stop it there, then switch it on here again.</source>
      <translation>Installieren Sie OBS Studio (dessen virtuelle Kamera wird benutzt), starten Sie diese Kamera einmal in OBS, halten Sie sie dort an und schalten Sie sie hier wieder ein.</translation>
    </message>
    <message>
      <source>Virtual cameras need an extra package. Install it, then start this program anew:</source>
      <translation>Virtuelle Kameras brauchen ein weiteres Paket. Installieren Sie es und starten Sie dieses Programm neu:</translation>
    </message>
    <message>
      <source>Allow yourself the use of cameras, then log in anew:</source>
      <translation>Erlauben Sie sich die Benutzung von Kameras und melden Sie sich dann neu an:</translation>
    </message>
    <message>
      <source>Allow the camera in the system's privacy settings, then try again.</source>
      <translation>Erlauben Sie die Kamera in den Datenschutzeinstellungen des Systems und versuchen Sie es noch einmal.</translation>
    </message>
    <message>
      <source>Close the other program that uses the camera, or choose another camera.</source>
      <translation>Schließen Sie das andere Programm, das die Kamera benutzt, oder wählen Sie eine andere Kamera.</translation>
    </message>
    <message>
      <source>The recording has no sound.</source>
      <translation>Die Aufnahme hat keinen Ton.</translation>
    </message>
    <message>
      <source>To record without sound, switch “Record sound” off.</source>
      <translation>Um ohne Ton aufzunehmen, schalten Sie „Ton aufnehmen“ aus.</translation>
    </message>
    <message>
      <source>Free some space, or choose another folder. What was recorded so far plays.</source>
      <translation>Schaffen Sie Platz oder wählen Sie einen anderen Ordner. Was bisher aufgenommen wurde, lässt sich abspielen.</translation>
    </message>
    <message>
      <source>Try again</source>
      <translation>Noch einmal</translation>
    </message>
    <message>
      <source>Show the demo clip</source>
      <translation>Beispielfilm zeigen</translation>
    </message>
    <message>
      <source>Use a web page instead</source>
      <translation>Stattdessen eine Webseite</translation>
    </message>
    <message>
      <source>Choose another folder</source>
      <translation>Anderer Ordner</translation>
    </message>
    <message>
      <source>Waiting for the first picture.</source>
      <translation>Das erste Bild wird erwartet.</translation>
    </message>
    <message>
      <source>The microphone gives no sound any more: the recording goes on without.</source>
      <translation>Das Mikrofon gibt keinen Ton mehr: Die Aufnahme geht ohne ihn weiter.</translation>
    </message>
    <message>
      <source>The picture has stalled: waiting for it.</source>
      <translation>Das Bild steht: Es wird auf die Kamera gewartet.</translation>
    </message>
    <message>
      <source>The camera is released: nobody looks at its picture.</source>
      <translation>Die Kamera ist freigegeben: Niemand sieht ihr Bild an.</translation>
    </message>
    <message>
      <source>The networks are being loaded. Until they are ready, you see the camera’s picture.</source>
      <translation>Die Netze werden geladen. Bis sie bereit sind, sehen Sie das Bild der Kamera.</translation>
    </message>
    <message>
      <source>The networks take too long. Until they answer, you see the camera’s picture.</source>
      <translation>Die Netze brauchen zu lange. Bis sie antworten, sehen Sie das Bild der Kamera.</translation>
    </message>
    <message>
      <source>A faster engine is being made ready; it takes over by itself.</source>
      <translation>Ein schnelleres Backend wird bereitet; es übernimmt von selbst.</translation>
    </message>
    <message>
      <source>The GPU could not be made ready; the CPU goes on.</source>
      <translation>Die GPU konnte nicht bereit gemacht werden; die CPU macht weiter.</translation>
    </message>
    <message>
      <source>This computer is busy: some work is left out.</source>
      <translation>Der Rechner ist ausgelastet: Manche Arbeit wird ausgelassen.</translation>
    </message>
    <message>
      <source>Click a face to see it without its mask.</source>
      <translation>Auf ein Gesicht klicken, um es ohne Maske zu sehen.</translation>
    </message>
    <message>
      <source>The disk is full.</source>
      <translation>Der Datenträger ist voll.</translation>
    </message>
    <message>
      <source>The camera is used by another program.</source>
      <translation>Ein anderes Programm benutzt die Kamera.</translation>
    </message>
    <message>
      <source>This program may not use the camera.</source>
      <translation>Dieses Programm darf die Kamera nicht benutzen.</translation>
    </message>
    <message>
      <source>The camera is not there. Connect it: it is noticed.</source>
      <translation>Die Kamera ist nicht da. Schließen Sie sie an: Sie wird bemerkt.</translation>
    </message>
    <message>
      <source>There is no virtual camera on this computer.</source>
      <translation>Auf diesem Rechner gibt es keine virtuelle Kamera.</translation>
    </message>
    <message>
      <source>The virtual camera is gone.</source>
      <translation>Die virtuelle Kamera ist weg.</translation>
    </message>
    <message>
      <source>A fault of this program ({detail}). Please report it.</source>
      <translation>Ein Fehler dieses Programms ({detail}). Bitte melden Sie ihn.</translation>
    </message>
    <message>
      <source>A package for virtual cameras is missing.</source>
      <translation>Ein Paket für virtuelle Kameras fehlt.</translation>
    </message>
    <message>
      <source>Sound cannot be recorded.</source>
      <translation>Ton kann nicht aufgenommen werden.</translation>
    </message>
    <message>
      <source>The microphone cannot be used.</source>
      <translation>Das Mikrofon kann nicht benutzt werden.</translation>
    </message>
    <message>
      <source>This source cannot be shown.</source>
      <translation>Diese Quelle kann nicht gezeigt werden.</translation>
    </message>
    <message>
      <source>No picture comes from this address.</source>
      <translation>Von dieser Adresse kommt kein Bild.</translation>
    </message>
    <message>
      <source>The camera does not work.</source>
      <translation>Die Kamera funktioniert nicht.</translation>
    </message>
    <message>
      <source>The networks cannot be run as was chosen.</source>
      <translation>Die Netze können nicht so ausgeführt werden wie gewählt.</translation>
    </message>
    <message>
      <source>What ran the networks is gone; the CPU goes on.</source>
      <translation>Womit die Netze rechneten, ist ausgefallen; die CPU macht weiter.</translation>
    </message>
    <message>
      <source>An output has failed and is off.</source>
      <translation>Eine Ausgabe ist ausgefallen und aus.</translation>
    </message>
    <message>
      <source>The virtual camera cannot be used.</source>
      <translation>Die virtuelle Kamera kann nicht benutzt werden.</translation>
    </message>
    <message>
      <source>{words} In detail: {given}</source>
      <translation>{words} Im Einzelnen: {given}</translation>
    </message>
    <message>
      <source>There is no picture yet. Wait for it, then try again.</source>
      <translation>Es gibt noch kein Bild. Warten Sie darauf und versuchen Sie es dann noch einmal.</translation>
    </message>
    <message>
      <source>The picture shows no face. Take one from the front, in good light.</source>
      <translation>Das Bild zeigt kein Gesicht. Nehmen Sie eines von vorn, bei gutem Licht.</translation>
    </message>
    <message>
      <source>The picture shows several faces. Cut out the one that is meant.</source>
      <translation>Das Bild zeigt mehrere Gesichter. Schneiden Sie das gemeinte aus.</translation>
    </message>
    <message>
      <source>The face in the picture is too small. Come closer, or take a larger one.</source>
      <translation>Das Gesicht im Bild ist zu klein. Kommen Sie näher, oder nehmen Sie ein größeres Bild.</translation>
    </message>
    <message>
      <source>The face in the picture wears a mask, or stands on its head. Take an upright one without a mask.</source>
      <translation>Das Gesicht im Bild trägt eine Maske oder steht auf dem Kopf. Nehmen Sie ein aufrechtes ohne Maske.</translation>
    </message>
    <message>
      <source>The picture cuts the face in it. Take one that shows all of it.</source>
      <translation>Das Gesicht ist vom Rand des Bildes abgeschnitten. Nehmen Sie ein Bild, das es ganz zeigt.</translation>
    </message>
    <message>
      <source>The face in the picture is too dark. Take one in good light.</source>
      <translation>Das Gesicht im Bild ist zu dunkel. Nehmen Sie ein Bild bei gutem Licht.</translation>
    </message>
    <message>
      <source>The file is not there, or may not be read.</source>
      <translation>Die Datei ist nicht da oder darf nicht gelesen werden.</translation>
    </message>
    <message>
      <source>The file is damaged, or ends too soon.</source>
      <translation>Die Datei ist beschädigt oder endet zu früh.</translation>
    </message>
    <message>
      <source>This program cannot use that file.</source>
      <translation>Mit dieser Datei kann das Programm nichts anfangen.</translation>
    </message>
    <message>
      <source>A file cannot be written or deleted.</source>
      <translation>Eine Datei kann nicht geschrieben oder gelöscht werden.</translation>
    </message>
    <message>
      <source>Something that this program needs is missing.</source>
      <translation>Etwas, das dieses Programm braucht, fehlt.</translation>
    </message>
    <message>
      <source>The source does not answer; it was left behind.</source>
      <translation>Die Quelle antwortet nicht; auf sie wird nicht länger gewartet.</translation>
    </message>
    <message>
      <source>The networks are still at work; they end by themselves.</source>
      <translation>Die Netze arbeiten noch; sie enden von selbst.</translation>
    </message>
    <message>
      <source>An output is not finished yet.</source>
      <translation>Eine Ausgabe ist noch nicht fertig.</translation>
    </message>
    <message>
      <source>This cannot be done.</source>
      <translation>Das geht nicht.</translation>
    </message>
    <message>
      <source>There is a fault in this program.</source>
      <translation>In diesem Programm ist ein Fehler.</translation>
    </message>
  </context>
</TS>
