// The ports of a design, as streams.
#pragma once

#include <stdexcept>
#include <string>

#include "design.h"
#include "streams.h"

// The design lacks a port, or has another one in its place.
struct PortError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Ports {
  public:
    explicit Ports(const Design& design) : design_(design) {}

    unsigned char* bit(const std::string& name) const {
        return static_cast<unsigned char*>(find(name, 1));
    }

    Stream stream(const std::string& name, unsigned width) const {
        return {name, width, find(name + "_payload", width), bit(name + "_valid"),
                bit(name + "_ready")};
    }

  private:
    void* find(const std::string& name, unsigned width) const {
        for (size_t at = 0; at < design_.port_count; ++at) {
            const Port& port = design_.ports[at];
            if (name != port.name) continue;
            if (width != port.width)
                throw PortError("has " + std::to_string(port.width) + " bits in port " + name +
                                ", not " + std::to_string(width));
            return port.value;
        }
        throw PortError("has no port " + name);
    }

    const Design& design_;
};
