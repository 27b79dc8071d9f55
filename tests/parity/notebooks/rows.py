"""Four notebooks of many rows: display protocols, libraries, magics, and errors and effects. Each row is a cell that may
fail; what it shows is compared for itself."""

from __future__ import annotations

CLASSES = """
class Html:
    def _repr_html_(self): return '<b>html</b>'
class Pretty:
    def _repr_pretty_(self, p, cycle): p.text('pretty')
class Bundle:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {'text/plain': 'bundle', 'application/x-own+json': {'a': [1]}}, {'application/x-own+json': {'meta': 1}}
class Png:
    def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n'
class Own:
    def _ipython_display_(self):
        from IPython.display import display
        display({'text/plain': 'own'}, raw=True)
class Raw:
    def _repr_json_(self): return {'a': 1}
    def _repr_latex_(self): return '$x$'
    def _repr_markdown_(self): return '*x*'
    def _repr_svg_(self): return '<svg xmlns="http://www.w3.org/2000/svg"/>'
    def _repr_javascript_(self): return 'alert(1)'
class Broken:
    def __repr__(self): raise ValueError('no repr')
class BrokenHtml:
    def _repr_html_(self): raise ValueError('no html')
    def __repr__(self): return 'plain'
class Unsayable(Exception):
    def __str__(self): raise RuntimeError('no text')
class Numbers(dict):
    pass
"""
DISPLAYS = (
    "1 + 1", "None", "'text'", "'text';", "x = 3", "(1, 2); [3]", "_", "__, ___", "In[1], Out.get(1)", "_oh[2] if 2 in _oh else 0",
    "display(1)", "display(1, 'two', [3])", "display()", "Html()", "display(Html())", "Pretty()", "Bundle()", "Png()", "Own()",
    "display(Own())", "Raw()", "Broken()", "BrokenHtml()", "[Html(), Pretty()]", "print(Html().__class__.__name__)",
    "display({'text/plain': 'raw', 'text/html': '<i>raw</i>'}, raw=True)",
    "display(Html(), metadata={'text/html': {'isolated': True}})", "display(Html(), include=['text/plain'])",
    "display(Html(), exclude=['text/html'])",
    "shown = display('one', display_id=True)\nshown.update('two')", "display('first', display_id='known');", "update_display('second', display_id='known')",
    "print('gone')\nclear_output()\nprint('stays')", "print('gone')\nclear_output(wait=True)\nprint('stays')",
    "display('gone')\nclear_output(wait=True)\ndisplay('stays')",
    "HTML('<b>x</b>')", "Markdown('*x*')", "Latex('$x$')", "Math('x')", "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')",
    "JSON({'a': 1})", "JSON([1], expanded=True)", "Javascript('alert(1)')", "Pretty_('x')", "GeoJSON({'type': 'Point', 'coordinates': [1, 2]})",
    "Image(data=PNG)", "Image(data=PNG, format='png', width=3)", "Image(url='http://x/y.png')", "Image('not_there.png')",
    "IFrame('x.html', 3, 4)", "Code('x = 1', language='python')", "FileLink('not_there')", "Audio(url='http://x/y.wav')", "Video('http://x/y.mp4')",
    "ProgressBar(3)", "DisplayHandle()", "display_html('<b>x</b>', raw=True)", "display_png(PNG, raw=True)",
    "display_javascript('alert(1)', raw=True)", "display_pretty(1)",
    "get_ipython().display_formatter.formatters['text/html'].for_type(Numbers, lambda n: '<b>numbers</b>');", "Numbers(a=1)",
    "get_ipython().display_pub.publish({'text/plain': 'published'})", "sys.displayhook(5)", "get_ipython().displayhook(6)",
    "print('a', 'b', sep='-', end='!')", "print('out')\nprint('more')", "print('err', file=sys.stderr)", "sys.stdout.write('written')",
    "sys.stdout.writelines(['a', 'b'])", "print('no line end', end='', flush=True)", "print('\\r10%\\r20%')", "print('\\x1b[31mred\\x1b[0m')", "print('x' * 300_000)",
    "sys.stdout.write(5)", "sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.writable(), sys.stdout.readable(), sys.stdout.name",
    "with contextlib.redirect_stdout(io.StringIO()) as held:\n    print('held')\nheld.getvalue()",
    "logging.getLogger('own').warning('warned')", "logging.basicConfig()\nlogging.warning('warned')", "import warnings\nwarnings.warn('careful')",
    "import traceback\ntry:\n    1/0\nexcept ZeroDivisionError:\n    print(traceback.format_exc(limit=0))",
)  # fmt: skip
LIBRARIES = (
    "import pandas as pd, numpy as np\npd.get_option('display.max_columns'), pd.get_option('display.max_rows')",
    "pd.DataFrame({'a': range(100)})", "pd.DataFrame(np.zeros((2, 40)))", "pd.Series([1, 2], name='s')", "pd.DataFrame({'a': [1]}).style.set_uuid('u')",
    "np.arange(2000)", "import matplotlib.pyplot as plt\nplt.plot([1, 2]);", "plt.plot([1, 2])", "figure, axes = plt.subplots()", "plt.figure(); plt.figure();",
    "plt.plot([1]); plt.show(); print('after')", "%matplotlib inline", "plt.plot([1, 2]);", "%config InlineBackend.figure_format = 'svg'", "%config InlineBackend.rc",
    "plt.close('all'); figure", "import matplotlib\nmatplotlib.get_backend()",
    "import rich, rich.table\nrich.print('[bold]bold[/bold]')", "from rich.console import Console\nConsole().print({'a': 1})",
    "table = rich.table.Table('a'); table.add_row('1'); table", "from rich.pretty import pprint\npprint([1, 2])",
    "from tqdm.auto import tqdm as automatic\nautomatic.__mro__[1].__name__", "import tqdm\nlist(tqdm.tqdm(range(3), disable=True));",
    "import tqdm.notebook\ntqdm.notebook.IProgress is None",
    "import duckdb\nduckdb.sql('select 42 as answer')", "import plotly_there" , "import IPython\nIPython.get_ipython() is get_ipython()",
    "import sklearn.linear_model\nsklearn.linear_model.LinearRegression()._repr_html_ is not None",
    "import comm\nheld = comm.create_comm(target_name='own', data={'a': 1}); held.send({'b': 2}); held.close()",
    "import scrapbook as sb\nsb.glue('n', 1)", "sb.glue('shown', Html(), display=True)",
)  # fmt: skip
MAGICS = (
    "%pwd", "%cd -q below", "%pwd", "%cd ..", "%cd below", "%cd -", "%dhist", "%pushd below", "%dirs", "%popd", "cd below", "cd ..",
    "%who_ls int", "%who int", "%whos int", "%psearch x*", "%pdef print", "%pdoc Html", "%psource Html", "%pinfo x", "x?", "?x", "Html??", "str.upper?", "nothing?", "x.*?",
    "%quickref", "%lsmagic", "%magic", "%history -n 1-2", "%history -g pattern_that_is_nowhere", "%recall 1", "%rep 1", "%precision 3", "3.14159", "%precision",
    "%env STAGEBOOK_STAGE_", "%env MADE=1", "%env MADE", "%set_env MADE=2", "%sx echo x", "!echo x", "found = !echo x\nfound", "!!echo x", "!exit 3", "_exit_code", "!echo err >&2",
    "!printf 'no line end'", "!python -c 'import sys; print(sys.stdout.isatty())'", "%system echo x", "import os\nos.system('echo x');", "import subprocess\nsubprocess.run(['echo', 'x']);",
    "%%bash\necho x", "%%sh\necho x; echo y >&2", "%%bash --out held --err held_error\necho x", "held, held_error", "%%script cat\nx", "%%python\nprint(1)", "%%bash\nexit 3", "%%bash --no-raise-error\nexit 3", "%%sx\necho x", "%%!\necho x",
    "%%capture held\nprint('held'); display(Html())", "held.stdout, len(held.outputs)", "held.show()", "held()", "%%capture --no-stdout\nprint('shown')",
    "for name in ('made.py', 'made.txt'):\n    if os.path.exists(name):\n        os.remove(name)", "%%writefile made.py\nmade = 1\nprint('made')", "%run made.py", "made", "%run -i made.py", "%load made.py", "%pycat made.py", "%pfile made", "%%file made.txt\nx", "%run failing.py", "%run not_there.py", "%run -t made.py",
    "%%html\n<b>x</b>", "%%markdown\n*x*", "%%latex\n$x$", "%%svg\n<svg xmlns='http://www.w3.org/2000/svg'/>", "%%javascript\nalert(1)", "%%js\nalert(1)",
    "%time 1 + 1", "%%time\n1 + 1", "%timeit -n1 -r1 -q pass", "%%timeit -n1 -r1 -q\npass", "%prun -q pass", "%%prun -q\npass",
    "%alias greet echo hello", "greet", "%unalias greet", "%macro again 2", "%store", "kept_by_store = 5\n%store kept_by_store", "%store -d kept_by_store", "%store -z",
    "%load_ext not_there", "%load_ext autoreload", "%autoreload 2", "%aimport", "%reload_ext autoreload", "%unload_ext autoreload", "%load_ext stagebook", "%stage --off",
    "%xmode", "%xmode Minimal", "1 / 0", "%xmode Context", "%colors", "%autocall", "%automagic", "%autoawait", "%pprint", "%pprint", "%pdb", "%pdb off", "%logstate", "%doctest_mode", "%doctest_mode", "%alias_magic t time", "%page x", "%less made.py", "%more made.py", "%man ls", "%clear", "%qtconsole --help_", "%connect_info", "%autosave 5", "%gui", "%gui not_there", "%matplotlib --list",
    "%tb", "%notebook -h_", "%config", "%config HistoryManager.hist_file", "%xdel x", "'x' in globals()", "%reset_selective -f made", "%conda_", "%killbgscripts", "%%bash --bg\ntrue", "%subshell_", "%code_wrap", "%%script --bg cat\nx",
    "get_ipython().run_line_magic('pwd', '')", "get_ipython().run_cell('1 + 1').result", "get_ipython().run_cell_magic('bash', '', 'echo x')", "get_ipython().system('echo x')", "get_ipython().getoutput('echo x')", "get_ipython().set_next_input('x')", "get_ipython().ev('1 + 1')",
    "get_ipython().__class__.__name__, hasattr(get_ipython(), 'kernel'), 'IPKernelApp' in get_ipython().config, get_ipython().has_trait('kernel')",
    "%edit made.py", "%pip --version_", "%%not_there\nx", "%not_there",
)  # fmt: skip
# Frames of the whole limit take IPython a minute.
FOREVER = """
import inspect
def forever():
    return forever()
before = sys.getrecursionlimit(); sys.setrecursionlimit(len(inspect.stack()) + 60)
try:
    forever()
finally:
    sys.setrecursionlimit(before)
"""
ERRORS = (
    "1 / 0", "raise ValueError", "raise ValueError('text')", "raise ValueError('two\\nlines')", "assert x == 4, 'not four'", "x = = 1", "  x = 1\n y = 2", "def f(:\n    pass", "import not_there", "undefined",
    "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('k') from error", "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise KeyError('k')", "raise KeyError('k') from None",
    "raise ExceptionGroup('several', [ValueError(1), TypeError(2)])", "raise KeyboardInterrupt", "raise BaseException('base')", "raise StopIteration", "raise Unsayable",
    "def down(n):\n    return down(n - 1) if n else 1 / 0\ndown(5)", FOREVER, "error = ValueError('noted'); error.add_note('a note'); raise error", "warnings.warn('x', DeprecationWarning)", "sys.exit(3)", "raise SystemExit('text')", "sys.exit()", "print('before')\n1 / 0\nprint('after')",
    "input('name? ')", "import getpass\ngetpass.getpass()", "%debug", "breakpoint()", "import pdb; pdb.set_trace()", "get_ipython().showtraceback()", "sys.stdin.read()", "import code; code.interact()",
    "import asyncio\nawait asyncio.sleep(0)\n7", "asleep = asyncio.sleep(0)\ntry:\n    asyncio.run(asleep)\nfinally:\n    asleep.close()", "asyncio.get_running_loop().is_running()", "async def later():\n    await asyncio.sleep(0.01)\n    return 8\ntask = asyncio.create_task(later())", "await task", "task.result()", "async for_ in x",
    "await later()", "async with asyncio.timeout(1):\n    print('in time')", "await asyncio.wait_for(asyncio.sleep(9), 0.01)", "once = later()\ntry:\n    asyncio.get_event_loop().run_until_complete(once)\nfinally:\n    once.close()", "await asyncio.gather(later(), later())", "[n async for n in later]", "yield 1", "return 1", "%autoawait False", "await later()", "%autoawait True",
    "import threading\nt = threading.Thread(target=print, args=('in a thread',)); t.start(); t.join()", "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()", "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool:\n    list(pool.map(print, ['pooled']))",
    "import os, sys\npid = os.fork()\nif pid == 0:\n    os.write(1, b'child\\n'); os._exit(0)\nos.waitpid(pid, 0)[1]", "from multiprocessing import get_context\np = get_context('fork').Process(target=print, args=('forked',), kwargs={'flush': True}); p.start(); p.join(); p.exitcode",
)  # fmt: skip
FIRST = (
    "import contextlib, io, logging, os, sys\nfrom IPython.display import *\nfrom IPython.display import Pretty as Pretty_\nimport base64\nos.environ.pop('COLUMNS', None)\nwith contextlib.redirect_stderr(io.StringIO()):\n    import tqdm.auto  # its warning is of the import",
    f"{CLASSES}\nPNG = base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==')\nx = 3",
)
TABLES = {"displays": DISPLAYS, "libraries": LIBRARIES, "magics": MAGICS, "errors": ERRORS}
FILES = {"below/keep": "", "failing.py": "print('runs')\n1 / 0\n"}
