"""Networks: a backbone, and a head that turns its features into points."""
