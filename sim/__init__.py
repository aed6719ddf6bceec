"""Everything that knows a simulator: builds, testbenches, regressions and the command line."""

from scalewright.sim.working_folder import is_program, leave_working_folder

# Before anything else is imported: here begins every program of this package.
if is_program():
    leave_working_folder()
