// The Verilated design and its ports, by name.
#pragma once

#include <map>
#include <stdexcept>
#include <string>

#include "Vtop.h"
#include "ports.h"  // written for each design
#include "streams.h"
#include "verilated.h"

// The design lacks a port, or has another one in its place.
struct PortError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Port {
    unsigned width;
    void* value;
};

class Ports {
  public:
    explicit Ports(Vtop& top) : ports_ PORTS(&top) {}

    unsigned char* bit(const std::string& name) const {
        return static_cast<unsigned char*>(find(name, 1));
    }

    Stream stream(const std::string& name, unsigned width) const {
        return {name, width, find(name + "_payload", width), bit(name + "_valid"),
                bit(name + "_ready")};
    }

  private:
    void* find(const std::string& name, unsigned width) const {
        const auto found = ports_.find(name);
        if (found == ports_.end()) throw PortError("has no port " + name);
        if (found->second.width != width)
            throw PortError("has " + std::to_string(found->second.width) + " bits in port " +
                            name + ", not " + std::to_string(width));
        return found->second.value;
    }

    std::map<std::string, Port> ports_;
};
