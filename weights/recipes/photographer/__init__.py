"""A synthetic photographer: dressed, lit, posed people in front of real backgrounds, with everything about them known."""
