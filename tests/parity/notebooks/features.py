"""A notebook for each feature, whole ones: what they show, and how they end."""

from __future__ import annotations

from parity.notebook import Notebook
from parity.notebooks.rows import FOREVER

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
WIDGET = """
import comm
state = {'_model_module': '@jupyter-widgets/base', '_model_module_version': '2.0.0', '_model_name': 'LayoutModel', 'n': 1}
held = comm.create_comm(target_name='jupyter.widget', comm_id='c1', data={'state': state}, metadata={'version': '2.1.0'})
held.send({'method': 'update', 'state': {'n': 2}})
"""
CHAIN = """
def read():
    try:
        {}['a']
    except KeyError as error:
        raise ValueError('no a') from error
try:
    read()
except ValueError as error:
    error.add_note('a note')
    raise
"""
ODD = "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError('no text')"
TYPES = """
import datetime, pathlib
flag = True; count = 1; ratio = 0.5; text = ''; nothing = None; names = []; table = {}; pair = (1, 2); where = pathlib.Path('a')
"""

DISPLAYS = {
    "display_protocols": Notebook(
        cells=(
            "from IPython.display import *\nHTML('<b>x</b>')",
            f"import base64\nImage(data=base64.b64decode('{PNG}'))",
            "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')",
            "JSON({'a': [1]})",
            "display(Latex('$x$'), Markdown('*x*'), Javascript('1'))",
            "class Own:\n    def _repr_mimebundle_(self, **_):\n        return {'application/x-own': 'own', 'text/plain': 'p'}\nOwn()",
        )
    ),
    "display_updates": Notebook(
        cells=(
            "shown = display('one', display_id='first')",
            "shown.update('two')\nfrom IPython.display import update_display\nupdate_display('three', display_id='first')",
            "display('another', display_id='first')",
            "update_display('never shown', display_id='nowhere')",
        )
    ),
    "clear_output": Notebook(
        cells=(
            "from IPython.display import clear_output\nprint('gone')\nclear_output()",
            "print('gone')\nclear_output(wait=True)\nprint('stays')",
            "print('stays')\nclear_output(wait=True)",
            "for n in range(5):\n    clear_output(wait=True)\n    display(n)",
        )
    ),
    "hidden_outputs": Notebook(cells=("1;", "1; 2", "x = 1", "x;\n", "x; # comment", "None", "_")),
    "broken_displays": Notebook(
        cells=(
            "class Html:\n    def _repr_html_(self): raise ValueError('no html')\n    def __repr__(self): return 'plain'\nHtml()",
            "class Broken:\n    def __repr__(self): raise ValueError('no repr')\nBroken()",
        )
    ),
    # The case formatter_error: the error is in showing the value of a cell.
    "missing_image": Notebook(cells=("from IPython.display import Image\nImage('not_there.png')",)),
    "widget_state": Notebook(cells=(WIDGET, "held.close()")),
    "widget_state_kept": Notebook(cells=(WIDGET,)),
    "ipywidgets": Notebook(
        cells=(
            "import ipywidgets as w\nw.IntSlider(value=3)",
            "out = w.Output()\nwith out:\n    print('held')\nout",
            "@w.interact(n=3)\ndef shown(n):\n    print(n)",
        ),
        needs=("ipywidgets",),
    ),
}  # fmt: skip

LIBRARIES = {
    "pandas": Notebook(
        cells=(
            "import pandas as pd\npd.DataFrame({'a': range(100), 'b': 'x'})",
            "pd.DataFrame([range(50)])",
            "pd.Series([1.5, None], name='s')",
            "pd.DataFrame({'a': [1]}).style.set_uuid('u')",
            "pd.options.display.max_rows, pd.options.display.max_columns, pd.options.display.width",
            "pd.DataFrame({'a': [1]})['b']",
        ),
        needs=("pandas",),
    ),
    "matplotlib": Notebook(
        cells=(
            "import matplotlib.pyplot as plt\nplt.plot([1, 2])",
            "plt.plot([1, 2]); plt.show(); print('after')",
            "figure, axes = plt.subplots(2)\nplt.close()",
            "figure",
            "%config InlineBackend.figure_formats = ['svg']\nplt.plot([1]);",
            "%matplotlib agg\nplt.plot([1]);",
        ),
        needs=("matplotlib",),
    ),
    "plotly": Notebook(
        cells=("import plotly.graph_objects as go\ngo.Figure(go.Bar(y=[1]))", "go.Figure(go.Bar(y=[1])).show()"),
        needs=("plotly",),
    ),
    "tqdm": Notebook(
        cells=(
            "from tqdm import tqdm\nimport os\nlen(list(tqdm(range(3), ncols=40)))",
            "import warnings\nwarnings.simplefilter('ignore')\nimport tqdm.auto\ntqdm.auto.tqdm.__mro__[1].__name__",
            "from tqdm import trange\nfor _ in trange(3, mininterval=99, ncols=40, bar_format='{n}/{total}'):\n    pass",
        ),
        needs=("tqdm",),
    ),
    "rich": Notebook(
        cells=(
            "import rich\nrich.print('[bold]bold[/bold]', {'a': 1})",
            "from rich.table import Table\ntable = Table('a')\ntable.add_row('1')\ntable",
            "from rich.progress import track\nsum(track(range(3), disable=True))",
            "%load_ext rich\n{'a': [1, 2]}",
        ),
        needs=("rich",),
    ),
    "duckdb": Notebook(cells=("import duckdb\nduckdb.sql('select 42 as answer')",), needs=("duckdb",)),
    "scrapbook": Notebook(
        cells=(
            "import scrapbook as sb\nsb.glue('n', 1)\nsb.glue('f', 1.5)\nsb.glue('b', True)\nsb.glue('t', 'text')\nsb.glue('l', [1, 'a'])\nsb.glue('d', {'a': None})",
            "from IPython.display import HTML\nsb.glue('shown', HTML('<b>x</b>'), display=True)",
            "sb.glue('only_shown', HTML('<b>x</b>'), 'display')",
            "import pandas as pd\nsb.glue('frame', pd.DataFrame({'a': [1, 2]}), 'pandas')",
            "sb.glue('both', 'text', 'text', display=True)",
            "import warnings\nwarnings.simplefilter('ignore')\nsb.glue('nan', float('nan'))",
            "sb.glue('bad', object())",
        ),
        needs=("scrapbook", "pandas"),
    ),
    "mlflow": Notebook(
        cells=(
            "import logging, mlflow\nlogging.disable()\nmlflow.set_tracking_uri('sqlite:///own.db')\nmlflow.set_experiment('own').name",
            "with mlflow.start_run(run_name='r') as run:\n    mlflow.log_param('a', 1)\n    mlflow.log_metric('m', 2)",
            "mlflow.get_run(run.info.run_id).data.params, mlflow.get_run(run.info.run_id).data.metrics, run.info.run_name",
            "mlflow.log_metric('n', 3)\nmlflow.active_run().info.status",
            "mlflow.start_run()",
        ),
        needs=("mlflow",),
    ),
}  # fmt: skip

STREAMS = {
    "streams": Notebook(
        cells=(
            "import sys\nprint('out')\nprint('err', file=sys.stderr)",
            "print('no line end', end='')",
            "print('10%\\r20%\\r30%')\nprint('a\\x08b')",
            "print('\\x1b[31mred\\x1b[0m', '\\u00e9', '\\U0001f600', 'a\\x00b')",
            "sys.stdout.write('written\\n')",
            "print('shown', flush=True)\ndisplay('between')\nprint('after')",
            "sys.stdout.isatty(), sys.stdout.encoding, sys.stdin.isatty() if sys.stdin else None",
            "print('last', file=sys.__stderr__, flush=True) if False else None",
        )
    ),
    "large_output": Notebook(cells=("print('x' * 900_000)", "for n in range(20_000):\n    print(n)")),
    "very_large_output": Notebook(cells=("print('x' * 1_200_000)", "'y' * 20")),
    "very_large_display": Notebook(cells=("from IPython.display import HTML\nHTML('x' * 11_000_000)",)),
    "surrogates": Notebook(cells=("print('caf\\udce9')", "'caf\\udce9'")),
    "logging": Notebook(
        cells=(
            "import logging, warnings\nlogging.warning('warned')",
            "logging.basicConfig(level='INFO', force=True)\nlogging.getLogger('own').info('told')",
            "warnings.warn('careful')",
            "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as held:\n    print('held')\nheld.getvalue()",
        )
    ),
    "descriptors": Notebook(
        cells=(
            "import os, sys, time\nos.write(1, b'one\\n'); os.system('echo two')",
            "os.write(2, b'three\\n');",
            "import subprocess\nsubprocess.run(['echo', 'four']);",
        )
    ),
}  # fmt: skip

ERRORS = {
    "exception": Notebook(cells=("print('before')", "1 / 0", "print('never')")),
    "error_without_text": Notebook(cells=("raise ValueError",)),
    "error_of_two_lines": Notebook(cells=("raise ValueError('two\\nlines')",)),
    "error_with_cause_and_note": Notebook(cells=(CHAIN,)),
    "error_group": Notebook(cells=("raise ExceptionGroup('several', [ValueError(1), TypeError(2)])",)),
    "error_without_cause": Notebook(cells=("try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise KeyError('k') from None",)),
    "error_that_has_no_text": Notebook(cells=(ODD, "raise Odd")),
    "error_of_own_class": Notebook(cells=("class Own(Exception):\n    pass", "raise Own('x' * 3000)")),
    "base_exception": Notebook(cells=("raise BaseException('base')",)),
    "syntax_error": Notebook(cells=("x = 1", "x = = 1")),
    "indentation_error": Notebook(cells=("  x = 1\n y = 2",)),
    "name_error": Notebook(cells=("undefined",)),
    "assertion": Notebook(cells=("assert 1 == 2, 'one is not two'",)),
    "import_error": Notebook(cells=("import not_there_at_all",)),
    "recursion": Notebook(cells=("import sys", FOREVER)),
    "exit_0": Notebook(cells=("import sys\nsys.exit(0)", "print('never')")),
    "exit_without_status": Notebook(cells=("import sys\nsys.exit()", "print('never')")),
    "exit_3": Notebook(cells=("import sys\nsys.exit(3)", "print('never')")),
    "exit_text": Notebook(cells=("raise SystemExit('a reason')",)),
    "exit_false": Notebook(cells=("import sys\nsys.exit(False)", "print('never')")),
    "exit_none": Notebook(cells=("raise SystemExit(None)", "print('never')")),
    "quit": Notebook(cells=("print('before')\nquit()", "print('after')")),
    "keyboard_interrupt": Notebook(cells=("raise KeyboardInterrupt",)),
    # Plain papermill has the number of the cell only where there is time to say it.
    "process_ends": Notebook(
        cells=(
            "print('before', flush=True)",
            "import os, time\ntime.sleep(0.5)\nos._exit(3)",
            "print('never')",
        )
    ),
    "memory_error": Notebook(cells=("raise MemoryError('none left')",)),
    "error_in_magic": Notebook(cells=("%run not_there.py",)),
    "unknown_magic": Notebook(cells=("%not_a_magic", "print('after')")),
    "unknown_cell_magic": Notebook(cells=("%%not_a_magic\nx", "print('after')")),
    "error_in_bash": Notebook(cells=("%%bash\necho before\nexit 3",)),
    "error_in_shell": Notebook(cells=("!exit 3", "_exit_code")),
    "asks": Notebook(cells=("input('name? ')",)),
    "asks_for_password": Notebook(cells=("import getpass\ngetpass.getpass()",)),
    "reads_standard_input": Notebook(cells=("import sys\nsys.stdin.read()", "sys.stdin.readline()")),
    "debugger": Notebook(cells=("breakpoint()",)),
    "exit_hook": Notebook(cells=("import atexit\natexit.register(lambda: print('at exit'));",)),
}  # fmt: skip

MAGICS = {
    "line_magics": Notebook(
        cells=(
            "%env MADE=1\n%env MADE", "%pwd", "%time 1 + 1", "%timeit -n1 -r1 -q pass", "x = 1\n%who_ls int", "%matplotlib inline",
            "%precision 2\n3.14159", "x?", "%load_ext autoreload\n%autoreload 2", "%run run_me.py", "made", "%xmode Minimal",
        ),
        files={"run_me.py": "made = 1\nprint(made)\n"},
    ),
    "cell_magics": Notebook(
        cells=(
            "%%bash\necho out; echo err >&2", "%%capture held\nprint('held')", "held.stdout", "%%time\n1 + 1", "%%html\n<b>x</b>",
            "%%writefile written.txt\ntext", "%%script cat\nx", "%%python\nprint(1)", "%%javascript\n1", "%%latex\n$x$",
        ),
    ),
    "shell": Notebook(cells=("!echo x; echo y >&2", "found = !printf 'a\\nb'\nfound", "!printf 'no line end'", "name = 'z'\n!echo {name} $name", "%sx echo x", "!exit 2")),
    "working_folder": Notebook(
        cells=("import os\nos.path.basename(os.getcwd()) != 'below'", "%cd -q below\nopen('data.txt').read()", "os.chdir('..')\nos.path.exists('data.txt')", "%cd below", "os.path.basename(os.getcwd())"),
        files={"below/data.txt": "data"},
    ),
    "local_modules": Notebook(
        cells=("import beside\nbeside.NAME", "from package import inner\ninner.NAME", "import top\ntop.NAME", "from . import beside"),
        files={
            "beside.py": "NAME = 'beside the notebook'\n",
            "package/__init__.py": "",
            "package/inner.py": "from . import other\nNAME = other.NAME\n",
            "package/other.py": "NAME = 'other'\n",
            "top.py": "from package.inner import NAME\n",
        },
    ),
    "surroundings": Notebook(
        cells=(
            "import sys\n__name__, sys.argv[0] != '', sys.argv[1:2], '__file__' in globals(), '__vsc_ipynb_file__' in globals()",
            "get_ipython().__class__.__name__, hasattr(get_ipython(), 'kernel'), 'IPKernelApp' in get_ipython().config",
            "import IPython, os\nIPython.version_info[0] > 7, os.environ.get('MPLBACKEND'), os.environ.get('TERM'), os.environ.get('PYTEST_CURRENT_TEST')",
            "import matplotlib\nmatplotlib.get_backend()",
            "import signal\nsignal.getsignal(signal.SIGTERM) == signal.SIG_DFL, signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN",
            "import threading\nthreading.current_thread() is threading.main_thread()",
            "sorted(name for name in globals() if not name.startswith('_'))",
            "In[1][:10], sorted(Out), __",
            "import multiprocessing\nmultiprocessing.get_start_method(), multiprocessing.current_process().name",
            "import locale\nlocale.getlocale() == locale.getlocale(), sys.flags.dev_mode, sys.getrecursionlimit(), sys.flags.utf8_mode",
            "import gc\ngc.isenabled(), gc.get_threshold() != (), gc.get_freeze_count() >= 0, sys.getswitchinterval()",
        ),
    ),
}  # fmt: skip

CONCURRENT = {
    "awaits": Notebook(
        cells=(
            "import asyncio\nawait asyncio.sleep(0)\n7",
            "async def later(n):\n    await asyncio.sleep(0.01)\n    return n\nawait asyncio.gather(later(1), later(2))",
            "task = asyncio.create_task(later(3))", "await task", "async with asyncio.timeout(1):\n    print('in time')",
            "[n async for n in (await later(x) for x in range(2))]", "asyncio.run(later(4))",
        ),
    ),
    "async_error": Notebook(cells=("async def fails():\n    1 / 0\nawait fails()",)),
    "threads": Notebook(
        cells=(
            "import threading\nthread = threading.Thread(target=print, args=('in a thread',)); thread.start(); thread.join()",
            "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as pool:\n    found = list(pool.map(str, range(3)))\nfound",
            "thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()",
        ),
    ),
    "late_thread": Notebook(
        cells=(
            "import threading\nevent, said = threading.Event(), threading.Event()\ndef late():\n    event.wait()\n    print('late')\n    said.set()\nthread = threading.Thread(target=late); thread.start()",
            "event.set(); said.wait(); thread.join()",
        ),
    ),
    "subprocesses": Notebook(
        cells=(
            "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True, text=True).stdout",
            "subprocess.run('exit 3', shell=True, check=True)",
        ),
    ),
    "pools": Notebook(
        cells=(
            "from multiprocessing import get_context\nwith get_context('fork').Pool(2) as pool:\n    print(pool.map(abs, [-1, -2]))",
            "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(2) as pool:\n    print(list(pool.map(abs, [-3])))",
        ),
    ),
    "joblib": Notebook(cells=("from joblib import Parallel, delayed\nParallel(2)(delayed(abs)(n) for n in (-1, -2))",), needs=("joblib",)),
}  # fmt: skip

CELLS = {
    "raises_exception": Notebook(cells=("#tag raises-exception\n1 / 0", "print('after')")),
    "skipped": Notebook(cells=("x = 1", "#tag skip-execution\nx = 2\nraise ValueError", "x")),
    "other_tags": Notebook(cells=("#tag hide-input\n1", "#tag skip\n2", "#tag remove-cell\n3", "#tag injected-parameters\nx = 4", "x")),
    "cells_that_are_no_code": Notebook(cells=("#md *text*", "#raw raw", "", "   \n\n", "# a comment alone", "1")),
    "no_code": Notebook(cells=("#md *text*", "pass")),
    "unicode": Notebook(cells=("größe = 'ä'\ngröße", "print('\\u2028 x')", "'日本' + '🦉'")),
    "crlf": Notebook(cells=("x = 1\r\nprint(x)\r\nx",)),
    "form_feed": Notebook(cells=("\x0cx = 1\nx",)),
    "long_cell": Notebook(cells=("\n".join(f"x{n} = {n}" for n in range(3000)) + "\nx2999",)),
    "many_cells": Notebook(cells=tuple(f"print({n})" for n in range(150))),
}  # fmt: skip

PARAMETERS = {
    "parameters": Notebook(
        params=TYPES,
        values={
            "flag": False, "count": -3, "ratio": 1e-9, "text": "it's \"so\"\n\\ {x} ${y} 🦉", "nothing": None,
            "names": ["a", 1, [True, None]], "table": {"a": {"b": [1.5]}, "c d": None}, "pair": [3, 4],
        },
        cells=("flag, count, ratio, text, nothing, names, table, list(pair)", "[type(x).__name__ for x in (flag, count, ratio, text, nothing, names, table)]"),
    ),
    "parameters_by_default": Notebook(params=TYPES, cells=("flag, count, ratio, text, nothing, names, table, pair, str(where)",)),
    "odd_numbers": Notebook(
        params="big = 1; inf = 1.0; small = 1.0; minus = 1.0",
        values={"big": 10**30, "inf": float("inf"), "small": 5e-324, "minus": -0.0},
        cells=("big, inf, small, minus",),
    ),
    "parameter_of_none": Notebook(params="limit = 5", values={"limit": None}, cells=("limit is None",)),
    "parameter_unicode": Notebook(params="name = ''", values={"name": "caf\u00e9 \u2028 \u202e\t"}, cells=("name", "print(ascii(name))")),
    "a_parameter_that_fails": Notebook(params="n = 0", values={"n": 0}, cells=("1 / n",)),
}  # fmt: skip

BARE = {"language_info": {"name": "python"}, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
FORMATS = {
    f"nbformat_{major}_{minor}": Notebook(
        version=(major, minor),
        cells=("#md *text*", "#raw raw", "print(1)", "2") if major > 3 else ("#md *text*", "print(1)", "2"),
        metadata=BARE if major > 3 else {"name": ""},
    )
    for major, minor in ((3, 0), (4, 0), (4, 1), (4, 2), (4, 3), (4, 4), (4, 5))
}  # fmt: skip
