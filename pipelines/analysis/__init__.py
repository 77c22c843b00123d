"""What people look at: frames of the warehouse's queries, and how they are printed."""
