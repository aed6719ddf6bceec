// cocotb's main program for Verilator, recording waves from a time on.
//
// SCALEWRIGHT_WAVES_FROM is that time, in simulated ns; cocotb's main program knows no such thing.
#include <cstdint>
#include <cstdlib>

#include "Vtop.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"

class LateVcd final : public VerilatedVcdC {
  public:
    // In units of the time precision, 1 ps.
    void dump(uint64_t time) {
        if (time >= from_ * 1000) VerilatedVcdC::dump(time);
    }

  private:
    static uint64_t from() {
        const char* const text = std::getenv("SCALEWRIGHT_WAVES_FROM");
        return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
    }

    const uint64_t from_ = from();
};

#define VerilatedVcdC LateVcd
#endif
#include "verilator.cpp"
