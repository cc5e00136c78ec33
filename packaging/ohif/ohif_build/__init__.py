"""Makes the OHIF viewer ready to be served by the appliance: fetched by hash, re-based, minified, listed.

Standard library only: it runs before anything is installed. Node is needed for `npm pack` alone.
"""
