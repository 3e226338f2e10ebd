"""A request's way: let in, read, queued, answered; each within its limits."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from assay.errors import AssayError
from assay.serving.http.asking import Asked, read_inputs, read_request, told
from assay.serving.http.batching import Batcher, Expired, Job, Stopped
from assay.serving.http.guard import too_large
from assay.serving.http.hosted import Hosted, House, Question, Why, answer_works, kind_of
from assay.serving.http.limits import Limits
from assay.serving.http.refusals import Refused
from assay.serving.http.telling import Metrics
from assay.serving.http.uploads import UploadRoot

_READERS = 4
_WEIGHT = 0.1  # of the latest request in the mean of how long one takes


class Service:
    """What stands behind the paths.

    Args:
        house: the models.
        limits: of the server.
        metrics: counts.
    """

    def __init__(self, house: House, limits: Limits, metrics: Metrics) -> None:
        self.house, self.limits, self.metrics = house, limits, metrics
        self.root = UploadRoot()
        self.batcher = Batcher(answer_works, limits.batch, limits.delay_s, self._watched)
        self._readers = ThreadPoolExecutor(_READERS, "assay-reading")
        self._inside = 0
        self._held = 0
        self._seconds = 0.05

    def close(self) -> None:
        """Answer what is queued, as far as there is time, and remove all files."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        self.batcher.stop(self.limits.time_s)
        self.root.close()

    def warm(self, hosted: Hosted) -> None:
        """Answer an example, so that what the first request needs is there, in the thread that needs it."""
        from assay.serving.http.examples import example_of

        job: Job[Any] = Job(None, lambda: example_of(hosted, self.root), 1, math.inf)
        with suppress(AssayError):
            hosted.example = self.batcher.submit(job).result()

    async def ask(self, content_type: str, chunks: AsyncIterator[bytes], facts: dict[str, Any], why: bool) -> Any:
        """The answer to a request; raises `Refused`.

        Args:
            content_type: of its body.
            chunks: its body.
            facts: gets what is logged of it.
            why: explain instead.
        """
        begun = time.monotonic()
        deadline = begun + self.limits.time_s
        with self._let_in():
            with self._holding() as hold:
                body = await self._body(chunks, deadline, hold)
                facts["bytes_in"] = len(body)
                with self.batcher.announced() as came:
                    reading = self._readers.submit(self._prepare, content_type, body, deadline, why, came)
                    del body
                    asked, job = await self._within(reading, deadline)
            facts["model"], facts["inputs"] = asked.hosted.name, job.size
            result = await self._within(job.future, deadline, asked)
        facts["together"] = job.together
        self._seconds += _WEIGHT * (time.monotonic() - begun - self._seconds)
        self.metrics.inputs.labels(asked.hosted.name).inc(job.size)
        return {"format": 1, "model": asked.hosted.name, **result, "notice": asked.hosted.loaded.task.traits.notice}

    @contextmanager
    def _let_in(self) -> Iterator[None]:
        """Count a request, or raise `Refused` where there are too many."""
        if self._inside >= self.limits.waiting:
            raise Refused(429, "too many requests are being answered", "Come back later.", self._seconds, "busy")
        self._inside += 1
        self.metrics.waiting.set(self._inside)
        try:
            yield
        finally:
            self._inside -= 1
            self.metrics.waiting.set(self._inside)

    @contextmanager
    def _holding(self) -> Iterator[Callable[[int], None]]:
        """Counts bytes that are held, and raises `Refused` where they are too many of all requests together."""
        own = 0

        def hold(size: int) -> None:
            nonlocal own
            if self._held + size > self.limits.held_bytes:
                raise Refused(429, "too much is being sent at once", "Come back later.", 1, "busy")
            own += size
            self._held += size

        try:
            yield hold
        finally:
            self._held -= own

    async def _body(self, chunks: AsyncIterator[bytes], deadline: float, hold: Callable[[int], None]) -> bytes:
        """All of a request's body; raises `Refused` where it is too large, or does not come in time."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self.limits.body_bytes:
                        raise too_large(self.limits)
                    hold(len(chunk))
                    parts.append(chunk)
        except TimeoutError:
            raise Refused(
                408, "the request did not arrive in time", "Send it again, or less of it.", reason="slow"
            ) from None
        return b"".join(parts)

    def _prepare(
        self, content_type: str, body: bytes, deadline: float, why: bool, came: Callable[[], None]
    ) -> tuple[Asked, Job[Any]]:
        """Read an announced request and queue it; its files are removed once it is answered, or is not going to be."""
        asked = read_request(content_type, body, self.house, self.root, self.limits)
        try:
            records, size = read_inputs(asked, self.limits)
            if why:
                work: Any = Why(asked.hosted, asked.source)
                job: Job[Any] = Job(None, work, size, deadline)
            else:
                question = Question(asked.hosted, records, asked.options, len(body))
                job = Job(kind_of(question), question, size, deadline)
        except AssayError as error:
            asked.close()
            raise told(error, asked.hidden) from error
        except BaseException:
            asked.close()
            raise
        job.future.add_done_callback(lambda _: self._clear(asked))
        self.batcher.submit(job, came)
        return asked, job

    def _clear(self, asked: Asked) -> None:
        """Remove the files of a request, for which no answer waits."""
        try:
            self._readers.submit(asked.close)
        except RuntimeError:  # it is being shut down
            asked.close()

    async def _within(self, future: Future[Any], deadline: float, asked: Asked | None = None) -> Any:
        """What comes of it until the deadline; raises `Refused`."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), max(0.0, deadline - time.monotonic()))
        except (TimeoutError, Expired):
            if future.running():
                raise Refused(504, "the answer takes too long", "Send less at once.", reason="slow") from None
            raise Refused(503, "no turn came in time", "Come back later.", self._seconds, "busy") from None
        except Stopped:
            raise Refused(503, "the server is being stopped", "Come back later.", 5, "stopping") from None
        except AssayError as error:
            raise told(error, asked.hidden if asked else str) from error
        except Refused:
            raise
        except MemoryError:
            raise Refused(413, "the input takes too much memory", "Send a smaller one.", reason="large") from None
        except asyncio.CancelledError:
            future.cancel()
            raise

    def _watched(self, size: int, seconds: float) -> None:
        self.metrics.batch.observe(size)
        self.metrics.network.observe(seconds)
