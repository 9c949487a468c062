"""What differs between keypoints and other tasks, as the engine sees it."""
