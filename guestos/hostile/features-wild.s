# features-wild.s: features that were never offered.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    blk_on
    li   t0, -1
    sw   t0, VIRTIO_DRIVER_FEATURES(s0)
    li   t1, 1
    sw   t1, VIRTIO_DRIVER_FEATURES_SEL(s0)
    sw   t0, VIRTIO_DRIVER_FEATURES(s0)
    sw   t0, VIRTIO_DRIVER_FEATURES_SEL(s0)
    sw   t0, VIRTIO_DRIVER_FEATURES(s0)
    request
    kick 1
    sw   zero, VIRTIO_STATUS(s0)
    sw   zero, VIRTIO_DRIVER_FEATURES_SEL(s0)
    sw   zero, VIRTIO_DRIVER_FEATURES(s0)
    blk_works
    finish
    .section .text
    blk_code
