"""Answers together what is asked at the same time.

Belongs here: gathering the questions that wait while others are answered. Does not belong here:
what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from fastapi.concurrency import run_in_threadpool

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batches(Generic[Question, Answer]):
    """Questions of many requests, answered in few threads.

    A question is answered at once while a thread is free. What is asked meanwhile waits, and the
    thread that is free next answers all of it in one go: nobody waits for more than one batch
    before his own, and the more is asked at a time, the more of the work is shared.

    It belongs to the event loop that asks: nothing here is done in two threads at once.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Question]], Sequence[Answer]],
        *,
        at_once: int,
        most: int,
    ) -> None:
        """Gather questions.

        Args:
            answer: gives the answers to some questions, in their order; it is called in a thread.
            at_once: so many batches are answered at a time.
            most: so many questions are answered in one go.
        """
        self._answer = answer
        self._most = most
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._free = at_once
        # The loop itself keeps no hold of a task.
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Answer:
        """The answer to a question.

        Raises:
            Exception: whatever answering this one question alone raises.
        """
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answered))
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answered

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._answer_all(batch)
        finally:
            # In the same step that finds nobody waiting: whoever asks next is not left to wait for
            # a task that has looked already.
            self._free += 1

    async def _answer_all(self, batch: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await run_in_threadpool(self._answer, [question for question, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                _settle(batch[0][1], error=error)
                return
            # One that cannot be answered spoils a batch: each is asked again, for itself.
            for each in batch:
                await self._answer_all([each])
            return
        for (_, answered), answer in zip(batch, answers, strict=True):
            _settle(answered, answer)


def _settle(
    answered: asyncio.Future[Answer], answer: Answer | None = None, error: Exception | None = None
) -> None:
    # Whoever went away does not wait any more.
    if answered.done():
        return
    if error:
        answered.set_exception(error)
    else:
        answered.set_result(answer)  # type: ignore[arg-type]
