"""A static page of boards: what `denoisebench publish` writes, opened from file:// as from a site.

What stands in results is not trusted: templates escape all of it, scripts get it as data, and file
names are made from safe letters alone.
"""
