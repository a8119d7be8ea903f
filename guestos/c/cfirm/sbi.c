/* sbi.c: the calls of SBI 1.0 that a kernel on this board needs. */
#include "cfirm.h"

#define NOT_SUPPORTED (-2)
#define INVALID_PARAM (-3)

enum { BASE = 0x10, TIME = 0x54494d45, IPI = 0x735049, RFENCE = 0x52464e43, HSM = 0x48534d,
       SRST = 0x53525354, DBCN = 0x4442434e };

static struct answer done(int32 error, uint32 value)
{
    return (struct answer){error, value, 0};
}

static struct answer legacy(int32 value)
{
    return (struct answer){value, 0, 1};
}

static void power_off(int failed)
{
    *(volatile uint32 *)FINISHER = failed ? 1u << 16 | 0x3333 : 0x5555;
    for (;;)
        wfi();
}

static struct answer base(uint32 function, uint32 a0)
{
    switch (function) {
    case 0:
        return done(0, 1u << 24);
    case 1: /* implementation id: none is registered */
    case 2:
        return done(0, 0x7fff);
    case 3: {
        static const uint32 known[] = {BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN, 0, 1, 2, 8};
        for (uint32 i = 0; i < ARRAY_SIZE(known); i++)
            if (known[i] == a0)
                return done(0, 1);
        return done(0, 0);
    }
    case 4:
        return done(0, csr_read(mvendorid));
    case 5:
        return done(0, csr_read(marchid));
    case 6:
        return done(0, csr_read(mimpid));
    default:
        return done(NOT_SUPPORTED, 0);
    }
}

static struct answer console(uint32 function, uint32 a0, uint32 a1, uint32 a2)
{
    if (function == 2) {
        uart_put((int)(a0 & 0xff));
        return done(0, 0);
    }
    if (function > 2)
        return done(NOT_SUPPORTED, 0);
    if (a2 != 0 || a1 < 0x80040000u || a1 + a0 < a1)
        return done(INVALID_PARAM, 0);
    uint32 n = 0;
    for (uint8 *at = (uint8 *)a1; n < a0; n++, at++) {
        if (function == 0) {
            uart_put(*at);
        } else {
            int c = uart_get();
            if (c < 0)
                break;
            *at = (uint8)c;
        }
    }
    return done(0, n);
}

static struct answer hsm(uint32 function, uint32 a0, uint32 a1, uint32 a2)
{
    uint32 me = csr_read(mhartid);
    switch (function) {
    case 0:
        return done(hart_start(a0, a1, a2), 0);
    case 1:
        csr_clear(mip, IP_STI);
        harts[me].state = STOPPED;
        hart_wait(me);
    case 2:
        if (a0 >= NHART || !(present >> a0 & 1))
            return done(INVALID_PARAM, 0);
        return done(0, harts[a0].state);
    default:
        return done(NOT_SUPPORTED, 0);
    }
}

struct answer sbi_call(struct frame *frame)
{
    uint32 a0 = frame->x[9], a1 = frame->x[10], a2 = frame->x[11];
    uint32 function = frame->x[15], extension = frame->x[16];
    switch (extension) {
    case 0:
        set_timer((uint64)a1 << 32 | a0);
        return legacy(0);
    case 1:
        uart_put((int)(a0 & 0xff));
        return legacy(0);
    case 2:
        return legacy(uart_get());
    case 8:
        power_off(0);
        return legacy(0);
    case BASE:
        return base(function, a0);
    case TIME:
        if (function != 0)
            return done(NOT_SUPPORTED, 0);
        set_timer((uint64)a1 << 32 | a0);
        return done(0, 0);
    case IPI:
        return function ? done(NOT_SUPPORTED, 0) : done(send_ipi(a0, a1, 0), 0);
    case RFENCE:
        return function > 2 ? done(NOT_SUPPORTED, 0) : done(send_ipi(a0, a1, 1), 0);
    case HSM:
        return hsm(function, a0, a1, a2);
    case SRST:
        if (function != 0)
            return done(NOT_SUPPORTED, 0);
        if (a0 > 2 || a1 > 1)
            return done(INVALID_PARAM, 0);
        power_off(a1 != 0);
        return done(0, 0);
    case DBCN:
        return console(function, a0, a1, a2);
    default:
        return done(NOT_SUPPORTED, 0);
    }
}
