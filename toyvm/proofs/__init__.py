"""What can be shown by running it: measurements beside independent tools."""
