"""The machine: devices, processes, compiled programs, malloc, the compiler's flags."""
