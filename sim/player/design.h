// The Verilated design and its ports, by name; design.cpp has what knows the design itself.
#pragma once

#include <cstddef>

#include "verilated.h"

class VerilatedVcdC;

struct Port {
    const char* name;
    unsigned width;
    void* value;
};

class Design {
  public:
    virtual ~Design() = default;
    virtual void eval() = 0;
    virtual void final() = 0;
    virtual void trace(VerilatedVcdC* waves) = 0;

    const Port* ports = nullptr;
    size_t port_count = 0;
};

Design* new_design(VerilatedContext* context);
