"""A stand-in (helper h1 overwrites this file)."""


def occurs(term, event, response, keys):
    return True
