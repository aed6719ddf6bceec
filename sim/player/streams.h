// What drives and observes the streams of a design; sim/bench/stream.py says the same in Python.
//
// In each cycle sources and sinks set what the design sees; once it has settled, everybody looks at
// what holds at the coming clock edge: there a word is transferred where valid and ready are high.
#pragma once

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "plan.h"

// The signals of a stream in the Verilated model, whose words lie in memory as in a plan: least
// significant byte first, and no bits set beyond the width.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are copied byte by byte");

struct Stream {
    std::string name;
    unsigned width;  // bits of the payload
    void* payload;
    unsigned char* valid;
    unsigned char* ready;

    size_t bytes() const { return word_bytes(width); }
    const char* word() const { return static_cast<const char*>(payload); }
};

// The entries of a stall pattern, one a cycle, again and again; without one, every cycle.
class Pattern {
  public:
    explicit Pattern(Rows rows) : rows_(rows) {}
    bool next() {
        if (rows_.count == 0) return true;
        const bool entry = rows_.data[at_] != 0;
        at_ = at_ + 1 == rows_.count ? 0 : at_ + 1;
        return entry;
    }

  private:
    Rows rows_;
    size_t at_ = 0;
};

// Offers words in order, each in the first cycle that the pattern allows, until it is taken.
class Source {
  public:
    Source(const Stream& stream, Rows words, Rows offers)
        : stream_(stream), words_(words), offers_(offers) {}

    void drive() {
        if (offering_) return;
        *stream_.valid = sent_ < words_.count && offers_.next();
        if (!*stream_.valid) return;
        std::memcpy(stream_.payload, words_.data + sent_ * stream_.bytes(), stream_.bytes());
        offering_ = true;
    }

    void look() {
        if (!offering_ || !*stream_.ready) return;
        offering_ = false;
        ++sent_;
    }

    size_t sent() const { return sent_; }

  private:
    const Stream& stream_;
    Rows words_;
    Pattern offers_;
    size_t sent_ = 0;
    bool offering_ = false;
};

// Accepts in the cycles that the pattern allows; a patient one for one cycle after each valid.
class Sink {
  public:
    Sink(const Stream& stream, Rows accepts, bool patient)
        : stream_(stream), accepts_(accepts), patient_(patient) {}

    void drive() { *stream_.ready = patient_ ? willing_ : accepts_.next(); }
    void look() { willing_ = !willing_ && *stream_.valid; }

  private:
    const Stream& stream_;
    Pattern accepts_;
    bool patient_, willing_ = false;
};

inline std::string hexadecimal(const char* word, size_t bytes) {
    static const char* const digits = "0123456789abcdef";
    std::string text;
    for (size_t at = bytes; at-- > 0;) {
        const auto octet = static_cast<unsigned char>(word[at]);
        text += {digits[octet >> 4], digits[octet & 15]};
    }
    const size_t first = text.find_first_not_of('0');
    return "0x" + (first == std::string::npos ? "0" : text.substr(first));
}

// A result that is not the expected one; what is empty did not come, or was not expected.
struct Mismatch {
    size_t index;
    int64_t cycle;
    std::string got, want;
};

// Findings of each kind and stream that are kept in detail.
constexpr size_t detailed = 20;

// Breaches of the stream protocol, in the order in which they were seen.
struct Violations {
    std::vector<std::string> sentences;
    int64_t first_cycle = -1;

    void add(const std::string& sentence, int64_t cycle) {
        if (first_cycle < 0) first_cycle = cycle;
        if (sentences.size() < detailed) sentences.push_back(sentence);
    }
};

// Takes the results of a stream, compares each with the expected one, and keeps them in a file;
// sees to it that valid and the payload hold until the transfer.
class Monitor {
  public:
    const Stream& stream;
    size_t mismatch_count = 0;
    std::vector<Mismatch> mismatches;

    Monitor(const Stream& watched, Rows expected, const std::string& path, Violations& violations)
        : stream(watched), expected_(expected), violations_(violations) {
        file_ = std::fopen(path.c_str(), "wb");
        if (file_ == nullptr) throw std::runtime_error("cannot write " + path);
    }

    void look(int64_t cycle) {
        if (waiting_) check_hold(cycle);
        if (!*stream.valid) return;
        if (*stream.ready) {
            take(cycle);
        } else if (!waiting_) {
            held_.assign(stream.word(), stream.bytes());
        }
        waiting_ = !*stream.ready;
    }

    // Counts the results that never came.
    void finish() {
        for (size_t index = came_; index < expected_.count; ++index)
            count({index, -1, "", text(want(index))});
        if (std::fclose(file_) != 0) throw std::runtime_error("cannot write the results");
    }

    size_t came() const { return came_; }
    bool complete() const { return came_ >= expected_.count; }

  private:
    const char* want(size_t index) const { return expected_.data + index * stream.bytes(); }
    std::string text(const char* word) const { return hexadecimal(word, stream.bytes()); }

    void check_hold(int64_t cycle) {
        if (!*stream.valid) {
            const std::string held = text(held_.data());
            violations_.add(stream.name + "_valid fell before the transfer of " + held, cycle);
            waiting_ = false;
        } else if (std::memcmp(held_.data(), stream.word(), stream.bytes()) != 0) {
            const std::string change = text(held_.data()) + " to " + text(stream.word());
            violations_.add(stream.name + "_payload changed from " + change + " while stalled",
                            cycle);
            held_.assign(stream.word(), stream.bytes());
        }
    }

    void take(int64_t cycle) {
        const size_t index = came_++;
        std::fwrite(stream.word(), 1, stream.bytes(), file_);
        if (index >= expected_.count)
            count({index, cycle, text(stream.word()), ""});
        else if (std::memcmp(stream.word(), want(index), stream.bytes()) != 0)
            count({index, cycle, text(stream.word()), text(want(index))});
    }

    void count(const Mismatch& mismatch) {
        ++mismatch_count;
        if (mismatches.size() < detailed) mismatches.push_back(mismatch);
    }

    Rows expected_;
    Violations& violations_;
    std::FILE* file_;
    std::string held_;  // the word that waits for its transfer
    bool waiting_ = false;
    size_t came_ = 0;
};
