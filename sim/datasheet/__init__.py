"""What a designer reads beside the Verilog: a template to instantiate it, and a datasheet."""
