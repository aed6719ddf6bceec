// What of a program differs from design to design: compiled with each, and therefore short.
#include "design.h"

#include "Vtop.h"
#include "ports.h"  // written for each design
#include "verilated.h"

namespace {

class Model final : public Design {
  public:
    explicit Model(VerilatedContext* context) : top_(context, "TOP"), ports_ PORTS(top_) {
        ports = ports_;
        port_count = sizeof(ports_) / sizeof(ports_[0]);
    }

    void eval() override { top_.eval(); }
    void final() override { top_.final(); }

    void trace(VerilatedVcdC* waves) override {
#if VM_TRACE
        top_.trace(waves, 99);
#else
        static_cast<void>(waves);
#endif
    }

  private:
    Vtop top_;
    const Port ports_[PORT_COUNT];
};

}  // namespace

Design* new_design(VerilatedContext* context) { return new Model(context); }
