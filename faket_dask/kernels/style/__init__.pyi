from .gradient_step import StyleSettings as StyleSettings
from .gradient_step import gram_targets as gram_targets
from .gradient_step import transfer as transfer
