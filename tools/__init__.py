"""Commands for people who work on the project; nothing that is deployed imports them."""
