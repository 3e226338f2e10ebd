"""The evidence page: findings in, one self-contained HTML page out."""
