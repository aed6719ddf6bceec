// What a phase gave, as sim/bench/plan.py reads it.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "streams.h"

inline std::string quoted(const std::string& text) {
    return text.empty() ? "null" : '"' + text + '"';
}

// Writes the outcome; returns whether nothing was wrong.
inline bool write_outcome(const std::string& path, int64_t cycles, double seconds,
                          const std::vector<Monitor>& monitors, const Violations& violations) {
    size_t mismatch_count = 0;
    int64_t failed_at = violations.first_cycle;
    std::string mismatches, sentences;
    for (const Monitor& monitor : monitors) {
        mismatch_count += monitor.mismatch_count;
        for (const Mismatch& each : monitor.mismatches) {
            if (each.cycle >= 0 && (failed_at < 0 || each.cycle < failed_at))
                failed_at = each.cycle;
            mismatches += (mismatches.empty() ? "" : ", ") +
                          ("{\"port\": " + quoted(monitor.stream.name)) +
                          ", \"index\": " + std::to_string(each.index) +
                          ", \"got\": " + quoted(each.got) + ", \"want\": " + quoted(each.want) +
                          "}";
        }
    }
    for (const std::string& sentence : violations.sentences)
        sentences += (sentences.empty() ? "" : ", ") + quoted(sentence);
    const std::string unfinished = path + ".unfinished";
    {
        std::ofstream file(unfinished);
        file << "{\"cycles\": " << cycles << ", \"seconds\": " << seconds
             << ", \"failed_at\": " << (failed_at < 0 ? "null" : std::to_string(failed_at))
             << ", \"mismatch_count\": " << mismatch_count << ", \"mismatches\": [" << mismatches
             << "], \"violations\": [" << sentences << "]}\n";
        if (!file.flush()) throw std::runtime_error("cannot write " + path);
    }
    if (std::rename(unfinished.c_str(), (path + ".json").c_str()) != 0)
        throw std::runtime_error("cannot write " + path);
    return mismatch_count == 0 && violations.sentences.empty();
}
