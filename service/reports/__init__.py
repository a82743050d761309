"""All HTML and plots: finished runs enter, self-contained pages leave."""
