"""The servers that ours is measured against, each as small as its task allows."""
