"""Work in threads whose results come in order, and what becomes of it where nobody takes the rest."""

import threading

import pytest

from sweep.data.audio import THREADS, in_order


def test_results_come_in_the_order_of_the_items():
    ready = [threading.Event() for _ in range(9)]
    for event in ready[1:]:
        event.set()

    def result(number):
        if number == 3:
            ready[0].set()  # the first one ends after a later one
        ready[number].wait(10)
        return number

    assert list(in_order(result, range(9), "")) == list(range(9))


def test_an_error_is_raised_where_its_result_would_come():
    found = in_order(lambda number: 6 // (3 - number), range(9), "")
    assert [next(found) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_an_iteration_that_is_given_up_waits_for_no_thread():
    """Otherwise it would where its garbage is collected, in a thread that starts, for ever."""
    release, begun = threading.Event(), []
    found = in_order(lambda number: number and (begun.append(number), release.wait(60)), range(99), "")
    assert next(found) == 0
    closing = threading.Thread(target=found.close)
    closing.start()
    closing.join(10)
    ended = not closing.is_alive()
    release.set()
    closing.join()
    assert ended and len(begun) <= THREADS + 1  # what had not begun never does
