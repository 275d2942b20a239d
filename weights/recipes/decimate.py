"""Left-right symmetric decimation of a closed triangle mesh by half-edge collapses: kept vertices keep their places."""

import heapq

import numpy as np
from tqdm import tqdm


def symmetric_triangles(quads, vertices, mirror):
    """Splits quads along their shorter diagonal, mirror images alike. No quad may be its own mirror image."""
    triangles = []
    for quad in quads:
        image = mirror[quad]
        # Both quads of a mirror pair must pick the same diagonal, so the one with the smaller name decides.
        decider = quad if sorted(quad) <= sorted(image) else image
        first = np.linalg.norm(vertices[decider[0]] - vertices[decider[2]])
        second = np.linalg.norm(vertices[decider[1]] - vertices[decider[3]])
        a, b, c, d = quad
        triangles += [(a, b, c), (a, c, d)] if first <= second else [(a, b, d), (b, c, d)]
    return np.array(triangles)


class collapser:
    """Greedy symmetric half-edge collapse under a quadric error with a uniform-size term.

    `shapes` [S, V, 3] are bodies that share the mesh; the first one is measured, and in none may a triangle turn over.
    `importance` [V] multiplies the error around a vertex.
    """

    LARGEST_VALENCE = 10
    LEAST_COSINE = 0.3
    LEAST_QUALITY = 0.12

    def __init__(self, shapes, triangles, mirror, importance, uniformity):
        self.shapes, self.mirror = np.asarray(shapes, np.float64), mirror.tolist()
        self.midline = mirror == np.arange(len(mirror))
        self.triangles = [tuple(int(v) for v in t) for t in triangles]
        self.around = [set() for _ in range(len(mirror))]
        for index, triangle in enumerate(self.triangles):
            for vertex in triangle:
                self.around[vertex].add(index)
        self.alive = [bool(fans) for fans in self.around]
        self.count = sum(self.alive)
        self.version = [0] * len(mirror)
        self.quadrics = self.initial_quadrics(importance, uniformity)
        self.importance = importance

    def initial_quadrics(self, importance, uniformity):
        """Area-weighted plane quadrics [V, 4, 4], plus a pull to the vertex itself that keeps edge lengths even."""
        vertices, triangles = self.shapes[0], np.array(self.triangles)
        a, b, c = (vertices[triangles[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal, axis=1) / 2
        normal /= np.maximum(2 * area, 1e-20)[:, None]
        plane = np.concatenate([normal, -(normal * a).sum(1, keepdims=True)], 1)
        outer = plane[:, :, None] * plane[:, None, :] * area[:, None, None]
        quadrics, point_area = np.zeros((len(vertices), 4, 4)), np.zeros(len(vertices))
        for k in range(3):
            np.add.at(quadrics, triangles[:, k], outer)
            np.add.at(point_area, triangles[:, k], area / 3)
        point = np.zeros_like(quadrics)
        point[:, :3, :3] = np.eye(3)
        point[:, :3, 3] = point[:, 3, :3] = -vertices
        point[:, 3, 3] = (vertices ** 2).sum(1)
        return (quadrics + uniformity * point_area[:, None, None] * point) * importance[:, None, None]

    def neighbours(self, vertex):
        return {w for t in self.around[vertex] for w in self.triangles[t]} - {vertex}

    def allowed_target(self, gone, kept):
        """A midline vertex may only slide along the midline; no collapse may join the two halves across it."""
        if self.midline[gone]:
            return bool(self.midline[kept])
        return kept != self.mirror[gone]

    def cost(self, gone, kept):
        """The error of moving `gone` onto `kept`, or None where the mesh would break, fold or grow slivers."""
        shared = self.neighbours(gone) & self.neighbours(kept)
        if len(shared) != 2:
            return None
        if any(len(self.around[w]) <= 4 for w in shared):
            return None
        moved = [t for t in self.around[gone] if kept not in self.triangles[t]]
        if len(self.around[kept]) + len(moved) - 2 > self.LARGEST_VALENCE:
            return None
        old = np.array([self.triangles[t] for t in moved])
        new = np.where(old == gone, kept, old)
        before, after = self.corners(old), self.corners(new)
        before, after = face_normals(before), face_normals(after)
        lengths = np.linalg.norm(after, axis=-1)
        cosine = (before * after).sum(-1) / np.maximum(np.linalg.norm(before, axis=-1) * lengths, 1e-24)
        if cosine.min() < self.LEAST_COSINE:
            return None
        turned = (after * after[0]).sum(-1) / np.maximum(lengths * lengths[0], 1e-24)
        if turned.min() < self.LEAST_COSINE:
            return None
        corners = self.shapes[0][new]
        edges = ((corners - np.roll(corners, 1, 1)) ** 2).sum((1, 2))
        quality = (2 * np.sqrt(3) * lengths[0] / np.maximum(edges, 1e-24)).min()
        if quality < self.LEAST_QUALITY:
            return None
        place = np.append(self.shapes[0][kept], 1.0)
        error = place @ (self.quadrics[gone] + self.quadrics[kept]) @ place
        return float(error / quality ** 0.5)

    def corners(self, triangles):
        return self.shapes[:, triangles]

    def collapse(self, gone, kept):
        touched = self.neighbours(gone)
        for t in list(self.around[gone]):
            if kept in self.triangles[t]:
                for vertex in self.triangles[t]:
                    self.around[vertex].discard(t)
                self.triangles[t] = None
            else:
                self.triangles[t] = tuple(kept if v == gone else v for v in self.triangles[t])
                self.around[kept].add(t)
        self.around[gone] = set()
        self.alive[gone] = False
        self.quadrics[kept] += self.quadrics[gone]
        self.count -= 1
        return touched

    def collapse_pair(self, gone, kept):
        """Collapses an edge and its mirror image, or neither where the first makes the second illegal."""
        image, image_kept = self.mirror[gone], self.mirror[kept]
        ring = self.neighbours(gone) | {gone}
        fans = {vertex: set(self.around[vertex]) for vertex in ring}
        triangles = {t: self.triangles[t] for t in self.around[gone]}
        quadric = self.quadrics[kept].copy()
        touched = self.collapse(gone, kept)
        if self.cost(image, image_kept) is not None:
            return touched | self.collapse(image, image_kept)
        for vertex, fan in fans.items():
            self.around[vertex] = fan
        for t, triangle in triangles.items():
            self.triangles[t] = triangle
        self.quadrics[kept] = quadric
        self.alive[gone] = True
        self.count += 1
        return set()

    def canonical(self, vertex):
        return min(vertex, self.mirror[vertex])

    def push(self, heap, vertex):
        """Queues the cheapest collapse of a vertex; one vertex of a mirror pair stands for both."""
        best = None
        for kept in self.neighbours(vertex):
            if self.allowed_target(vertex, kept):
                cost = self.cost(vertex, kept)
                if cost is not None and (best is None or (cost, kept) < best):
                    best = (cost, kept)
        if best is not None:
            heapq.heappush(heap, (best[0], vertex, best[1], self.version[vertex]))

    def run(self, vertex_count):
        """Collapses until vertex_count vertices are left; returns their old indices and the triangles between them."""
        heap = []
        for vertex in range(len(self.alive)):
            if self.alive[vertex] and self.canonical(vertex) == vertex:
                self.push(heap, vertex)
        with tqdm(total=self.count - vertex_count, desc="decimate") as bar:
            while self.count > vertex_count:
                if not heap:
                    raise RuntimeError(f"no legal collapse is left at {self.count} vertices")
                _, gone, kept, version = heapq.heappop(heap)
                if not self.alive[gone] or version != self.version[gone]:
                    continue
                pair = not self.midline[gone]
                if pair and self.count - vertex_count < 2:
                    continue
                before = self.count
                touched = self.collapse_pair(gone, kept) if pair else self.collapse(gone, kept)
                bar.update(before - self.count)
                for vertex in sorted({self.canonical(v) for v in touched}):
                    self.version[vertex] += 1
                    if self.alive[vertex]:
                        self.push(heap, vertex)
        kept = np.flatnonzero(self.alive)
        number = np.full(len(self.alive), -1)
        number[kept] = np.arange(len(kept))
        return kept, number[np.array([t for t in self.triangles if t is not None])]


def face_normals(corners):
    return np.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])


def folded(shapes, triangles):
    """Which triangles [S, F] of shapes [S, V, 3] point away from their own direction in the first shape."""
    normals = face_normals(shapes[:, triangles])
    return np.einsum("sfa,fa->sf", normals, normals[0]) <= 0


def edges_of(triangles):
    """Directed edges [3 F, 2]."""
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
