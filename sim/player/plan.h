// A plan, as sim/bench/plan.py writes it: plan.txt says what lies where in plan.bin.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// A file in memory, read as pages are touched: a plan may be larger than the memory.
class MappedFile {
  public:
    MappedFile(const std::string& path, bool writable) {
        const int file = open(path.c_str(), writable ? O_RDWR : O_RDONLY);
        struct stat facts;
        if (file < 0 || fstat(file, &facts) != 0) throw std::runtime_error("cannot open " + path);
        size_ = static_cast<size_t>(facts.st_size);
        if (size_ == 0) return;  // nothing to map
        const int access = writable ? PROT_READ | PROT_WRITE : PROT_READ;
        void* mapped = mmap(nullptr, size_, access, writable ? MAP_SHARED : MAP_PRIVATE, file, 0);
        close(file);
        if (mapped == MAP_FAILED) throw std::runtime_error("cannot map " + path);
        data_ = static_cast<char*>(mapped);
    }

    char* at(size_t offset, size_t size) const {
        if (offset > size_ || size > size_ - offset) throw std::runtime_error("a file is too short");
        return data_ + offset;
    }

  private:
    char* data_ = nullptr;
    size_t size_ = 0;
};

// Words of one stream, least significant byte first, or entries of a stall pattern.
struct Rows {
    const char* data = nullptr;
    size_t count = 0;
};

struct Phase {
    bool patient = false;
    int64_t reset_after = -1;  // cycles; -1: no reset in mid-stream
    std::map<std::string, Rows> inputs, expected, offers, accepts;  // by stream
};

struct Plan {
    std::vector<std::pair<std::string, unsigned>> inputs, outputs;  // streams, and their bits
    std::vector<Phase> phases;
};

inline size_t word_bytes(unsigned width) { return (width + 7) / 8; }

// Reads a plan, whose words lie in `words`.
inline Plan read_plan(const std::string& path, const MappedFile& words) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot open " + path);
    std::map<std::string, unsigned> widths;
    Plan plan;
    std::vector<Phase>& phases = plan.phases;
    std::string line;
    while (std::getline(file, line)) {
        std::istringstream tokens(line);
        std::string kind, stream;
        size_t offset = 0, count = 0;
        tokens >> kind;
        if (kind == "input" || kind == "output") {
            unsigned width = 0;
            tokens >> stream >> width;
            widths[stream] = width;
            (kind == "input" ? plan.inputs : plan.outputs).emplace_back(stream, width);
        } else if (kind == "phase") {
            phases.emplace_back();
            tokens >> phases.back().patient >> phases.back().reset_after;
        } else if (kind == "inputs" || kind == "expected" || kind == "offers" ||
                   kind == "accepts") {
            tokens >> stream >> offset >> count;
            Phase& phase = phases.back();
            const bool pattern = kind == "offers" || kind == "accepts";
            const size_t bytes = pattern ? 1 : word_bytes(widths.at(stream));
            auto& group = kind == "inputs"     ? phase.inputs
                          : kind == "expected" ? phase.expected
                          : kind == "offers"   ? phase.offers
                                               : phase.accepts;
            group[stream] = {words.at(offset, count * bytes), count};
        }
        if (tokens.fail()) throw std::runtime_error("plan.txt has a bad line: " + line);
    }
    return plan;
}
