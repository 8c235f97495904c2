// From floating point to integers as the hardware does it: what does not fit becomes the nearest that does, NaN becomes 0.
//
// x86's cvttss2si gives 0x80000000 for all of these. C++ has no hook for a conversion, so the assembler has one: these
// macros stand for the instructions that the compiler emits. The flags and all other registers stay as they are; the
// scratch space below the stack pointer is free, as kernels are compiled without a red zone. Conversions to unsigned go
// through 64 bits, and saturate there.

#pragma once

asm(R"(
.pushsection .rodata.emulator_limits, "a"
.balign 8
emulator_limit_ss_l: .long 0x4f000000
emulator_limit_ss_q: .long 0x5f000000
emulator_limit_sd_l: .quad 0x41e0000000000000
emulator_limit_sd_q: .quad 0x43e0000000000000
.popsection

.macro emulator_convert float, size, source, target, a, b, c
    movups %\a, -32(%rsp)
    movups %\b, -48(%rsp)
    movups %\c, -64(%rsp)
    mov\float \source, %\a
    cvtt\float\()2si %\a, \target
    movaps %\a, %\b
    cmpunord\float %\b, %\b
    cmpnlt\float emulator_limit_\float\()_\size\()(%rip), %\a
    .ifc \float\size,ssq
    pshufd $0, %\a, %\a
    pshufd $0, %\b, %\b
    .endif
    mov\size\()_to_vector \target, %\c
    pxor %\a, %\c
    pandn %\c, %\b
    mov\size\()_from_vector %\b, \target
    movups -32(%rsp), %\a
    movups -48(%rsp), %\b
    movups -64(%rsp), %\c
.endm
.macro movl_to_vector from, to
    movd \from, \to
.endm
.macro movq_to_vector from, to
    movq \from, \to
.endm
.macro movl_from_vector from, to
    movd \from, \to
.endm
.macro movq_from_vector from, to
    movq \from, \to
.endm

.macro emulator_choose float, size, source, target
    .ifc \source,%xmm13
    emulator_convert \float, \size, "\source", \target, xmm10, xmm11, xmm12
    .else
    .ifc \source,%xmm14
    emulator_convert \float, \size, "\source", \target, xmm10, xmm11, xmm12
    .else
    .ifc \source,%xmm15
    emulator_convert \float, \size, "\source", \target, xmm10, xmm11, xmm12
    .else
    emulator_convert \float, \size, "\source", \target, xmm13, xmm14, xmm15
    .endif
    .endif
    .endif
.endm

.macro emulator_operands float, size, a, b, c, d  # an address may contain commas
    .ifnb \d
    emulator_choose \float, \size, "\a,\b,\c", \d
    .else
    .ifnb \c
    emulator_choose \float, \size, "\a,\b", \c
    .else
    emulator_choose \float, \size, "\a", \b
    .endif
    .endif
.endm

.irp float, ss, sd
.irp size, l, q
.macro cvtt\float\()2si\size a, b, c, d
    emulator_operands \float, \size, "\a", "\b", "\c", "\d"
.endm
.macro vcvtt\float\()2si\size a, b, c, d
    emulator_operands \float, \size, "\a", "\b", "\c", "\d"
.endm
.endr
.endr
)");
