"""Setting a machine up as a box, from a few answers: configuration, certificates, database, doors, one account.

Safe to repeat: what is as it should be stays as it is, what an administrator has put in its place stays theirs.
"""
