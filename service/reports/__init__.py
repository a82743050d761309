"""Reports: tables in, self-contained HTML pages and plots out."""
