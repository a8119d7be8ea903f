"""What runs below an S-mode kernel: the SBI and the device tree."""
