// The least that a main program can do: offer words, accept results, and look at nothing.
//
// The yardstick of `sim/reports/simulation_speed.py`: what the player adds (stalls, protocol checks,
// comparison, results in a file) is measured against it.
#include <chrono>
#include <fstream>
#include <memory>
#include <vector>

#include "design.h"
#include "outcome.h"
#include "plan.h"
#include "ports_by_name.h"

int main(int count, char** arguments) {
    if (count < 2) return 2;
    const std::string folder = arguments[1];
    const MappedFile words(folder + "/plan.bin", false);
    const Plan plan = read_plan(folder + "/plan.txt", words);
    const Phase& phase = plan.phases.front();
    VerilatedContext context;
    const std::unique_ptr<Design> top(new_design(&context));
    const Ports ports(*top);
    unsigned char *clk = ports.bit("clk"), *rst = ports.bit("rst");
    const auto [result, result_width] = plan.outputs.front();
    const Stream results = ports.stream(result, result_width);
    std::vector<Stream> inputs;
    std::vector<size_t> sent(plan.inputs.size(), 0);
    for (const auto& [name, width] : plan.inputs) inputs.push_back(ports.stream(name, width));
    int64_t cycles = 0;
    const auto clock = [&] {
        *clk = 0;
        top->eval();
        *clk = 1;
        context.timeInc(1);
    };
    *rst = 1;
    clock();
    top->eval();
    *rst = 0;
    *results.ready = 1;
    const auto started = std::chrono::steady_clock::now();
    size_t wanted = phase.expected.at(result).count;
    for (; wanted > 0; ++cycles) {
        for (size_t at = 0; at < inputs.size(); ++at) {
            const Rows& rows = phase.inputs.at(inputs[at].name);
            *inputs[at].valid = sent[at] < rows.count;
            if (*inputs[at].valid)
                std::memcpy(inputs[at].payload, rows.data + sent[at] * inputs[at].bytes(),
                            inputs[at].bytes());
        }
        clock();
        for (size_t at = 0; at < inputs.size(); ++at)
            sent[at] += *inputs[at].valid & *inputs[at].ready;
        wanted -= *results.valid;
        top->eval();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
    for (const auto& [name, width] : plan.outputs)
        std::ofstream(folder + "/outcome0-" + name + ".bin");
    return write_outcome(folder + "/outcome0", cycles, seconds.count(), {}, {}) ? 0 : 1;
}
