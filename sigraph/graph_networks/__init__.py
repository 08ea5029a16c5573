"""PyG's graph networks over graphs of any size: whole, on parts of it, and a layer at a time; no compiled extension."""
