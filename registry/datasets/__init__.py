"""Public data sets that can be fetched by name: what each is, and what it holds."""
