"""Documents of spectrai (Horgan & Bergholt 2022), translated when they are loaded."""
