"""Labs: files that describe several guests, their disks and their network, and running them."""
