"""The HTTP server that every door for HTTP stands on."""
