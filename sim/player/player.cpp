// Plays a plan on the Verilated design: `player FOLDER [NS]`.
//
// The folder has the plan, and takes the outcomes; and waves, from that simulated time on. The
// cocotb testbench, sim/bench/testbench.py, does the same to the cycle; what is said there of the
// order of events holds here.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>

#include "design.h"
#include "outcome.h"
#include "plan.h"
#include "ports_by_name.h"
#include "streams.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

constexpr int64_t quiet_cycles = 64;   // after the last result, in which none may follow
constexpr int64_t patience = 20'000;   // cycles without any transfer before a phase is given up
constexpr uint64_t period_ps = 10'000;
constexpr size_t progress_step = 1024;  // words

class Bench {
  public:
    Bench(const std::string& folder, const Plan& plan, uint64_t waves_from)
        : folder_(folder),
          progress_file_(folder + "/progress", true),
          progress_(reinterpret_cast<uint64_t*>(progress_file_.at(0, sizeof(uint64_t)))),
          waves_from_(waves_from) {
        context_.time(0);
#if VM_TRACE
        context_.traceEverOn(true);
#endif
        top_.reset(new_design(&context_));
        const Ports ports(*top_);
        clk_ = ports.bit("clk");
        rst_ = ports.bit("rst");
        for (const auto& [name, width] : plan.inputs) inputs_.push_back(ports.stream(name, width));
        for (const auto& [name, width] : plan.outputs)
            outputs_.push_back(ports.stream(name, width));
        idle();
        accept_all(false);
        *rst_ = 1;
        clock();
        reset();
    }

    ~Bench() {
#if VM_TRACE
        if (waves_) waves_->close();
#endif
        top_->final();
    }

    // Plays one phase, from reset, and writes its outcome.
    bool play(const Phase& phase, size_t number) {
        cycle_ = -1 - std::max<int64_t>(phase.reset_after, 0);
        if (phase.reset_after >= 0) {
            start(phase);
            while (cycle_ < -1) {
                drive();
                clock();
            }
        }
        reset();
        start(phase);
        Violations violations;
        std::vector<Monitor> monitors;
        monitors.reserve(phase.expected.size());
        const std::string path = folder_ + "/outcome" + std::to_string(number);
        for (const Stream& stream : outputs_) {
            const auto found = phase.expected.find(stream.name);
            if (found == phase.expected.end()) continue;
            const std::string results = path + "-" + stream.name + ".bin";
            monitors.emplace_back(stream, found->second, results, violations);
        }
        const auto started = std::chrono::steady_clock::now();
        const auto complete = [](const Monitor& monitor) { return monitor.complete(); };
        const auto done = [&] { return std::all_of(monitors.begin(), monitors.end(), complete); };
        int64_t ended = 0;
        if (!done()) {
            size_t before = SIZE_MAX;
            while (!done()) {
                if (cycle_ % patience == 0) {
                    const size_t moved = transfers(monitors);
                    if (moved == before) break;
                    before = moved;
                }
                drive();
                clock(&monitors);
            }
            ended = done() ? cycle_ - 1 : 0;
            for (Source& source : sources_) source.drive();
        }
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
        report_progress();
        played_ += sent();
        sources_.clear();
        sinks_.clear();
        accept_all(true);
        for (int64_t count = 0; count < quiet_cycles; ++count) clock(&monitors);
        for (Monitor& monitor : monitors) monitor.finish();
        return write_outcome(path, ended, seconds.count(), monitors, violations);
    }

  private:
    void start(const Phase& phase) {
        const auto of = [](const std::map<std::string, Rows>& group, const Stream& stream) {
            const auto found = group.find(stream.name);
            return found == group.end() ? Rows{} : found->second;
        };
        sources_.clear();
        sinks_.clear();
        for (const Stream& stream : inputs_)
            sources_.emplace_back(stream, of(phase.inputs, stream), of(phase.offers, stream));
        for (const Stream& stream : outputs_)
            sinks_.emplace_back(stream, of(phase.accepts, stream), phase.patient);
    }

    void drive() {
        for (Source& source : sources_) source.drive();
        for (Sink& sink : sinks_) sink.drive();
    }

    // Let the design settle, look at what holds at the clock edge, and pass it.
    void clock(std::vector<Monitor>* monitors = nullptr) {
        *clk_ = 0;
        evaluate();
        for (Source& source : sources_) source.look();
        for (Sink& sink : sinks_) sink.look();
        if (monitors != nullptr)
            for (Monitor& monitor : *monitors) monitor.look(cycle_);
        *clk_ = 1;
        evaluate();
        ++cycle_;
        if ((cycle_ & (progress_step - 1)) == 0) report_progress();
    }

    void evaluate() {
        top_->eval();
#if VM_TRACE
        if (waves_from_ <= context_.time() / 1000) {
            if (!waves_) {
                waves_ = std::make_unique<VerilatedVcdC>();
                top_->trace(waves_.get());
                waves_->open((folder_ + "/dump.vcd").c_str());
            }
            waves_->dump(context_.time());
        }
#endif
        context_.timeInc(period_ps / 2);
    }

    // Hold the synchronous reset for one cycle, in which sources go on offering; then all idle.
    void reset() {
        accept_all(false);
        sources_.clear();
        sinks_.clear();
        *rst_ = 1;
        cycle_ = -1;
        clock();
        *rst_ = 0;
        idle();
    }

    void idle() {
        for (const Stream& stream : inputs_) *stream.valid = 0;
    }

    void accept_all(bool ready) {
        for (const Stream& stream : outputs_) *stream.ready = ready;
    }

    size_t sent() const {
        size_t words = 0;
        for (const Source& source : sources_) words += source.sent();
        return words;
    }

    size_t transfers(const std::vector<Monitor>& monitors) const {
        size_t words = sent();
        for (const Monitor& monitor : monitors) words += monitor.came();
        return words;
    }

    void report_progress() { *progress_ = played_ + sent(); }

    std::string folder_;
    MappedFile progress_file_;
    uint64_t* progress_;  // words sent, of all phases
    uint64_t waves_from_;  // ns
    VerilatedContext context_;
    std::unique_ptr<Design> top_;
    unsigned char *clk_ = nullptr, *rst_ = nullptr;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> waves_;
#endif
    std::vector<Stream> inputs_, outputs_;
    std::vector<Source> sources_;
    std::vector<Sink> sinks_;
    int64_t cycle_ = 0;  // after reset; negative before it
    uint64_t played_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
    if (count < 2) return 2;
    const std::string folder = arguments[1];
    try {
        const uint64_t waves_from = count > 2 ? std::stoull(arguments[2]) : UINT64_MAX;
        const MappedFile words(folder + "/plan.bin", false);
        const Plan plan = read_plan(folder + "/plan.txt", words);
        Bench bench(folder, plan, waves_from);
        for (size_t number = 0; number < plan.phases.size(); ++number)
            if (!bench.play(plan.phases[number], number)) break;
        return 0;
    } catch (const PortError& error) {
        std::ofstream(folder + "/complaint") << error.what();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
