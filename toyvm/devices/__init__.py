"""Models of devices, knowing no hart: offsets, widths and bytes on one side, a backend behind."""
