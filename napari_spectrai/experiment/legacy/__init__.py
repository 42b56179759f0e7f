"""Conversion of documents of spectrai (Horgan & Bergholt 2022)."""
