"""How good the networks are: tables and sheets, on faces that they were not trained on."""
