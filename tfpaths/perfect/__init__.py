"""Fresh discriminators against frozen generators: figures 1 to 3 of Arjovsky and Bottou 2017 on images."""
