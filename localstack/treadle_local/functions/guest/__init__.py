"""What runs inside a function's process, before the function: on its interpreter, with the standard library alone.

Any Python that Lambda has or had from 3.9 on may run this, so it is written for that one.
"""
