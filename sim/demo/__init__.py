"""The demonstration: networks that classify handwritten digits, on the RTL."""
