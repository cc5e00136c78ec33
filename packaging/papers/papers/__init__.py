"""The papers of the Debian package: what is inside, under which licences, how it is used; all from the real things.

Called by the build of the package, with the Python and the packages that are shipped. Every document is made the same
from the same input: `SOURCE_DATE_EPOCH` is the only clock.
"""
