from .blocks import CardFigure as CardFigure
from .card import model_card_html as model_card_html
from .card import model_card_markdown as model_card_markdown
from .facts import Attributions as Attributions
from .facts import CardFacts as CardFacts
from .summary import console_summary as console_summary
