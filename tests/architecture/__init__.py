"""Rules that the code, its documents and its locks have to keep; each rule is shown to notice a breach."""
